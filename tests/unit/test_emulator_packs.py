"""Packs: several notes in one prompt, each with an answer of its own, and a bill that counts them."""

import json
from typing import Any

import jsonschema
import pytest

from emulator.request.catalog import load_catalog
from emulator.request.shapes import MessageRequest
from emulator.writer.reply import Reply, write_reply

HAIKU = load_catalog()["claude-haiku-5-5"]
ANSWER: dict[str, Any] = {
    "id": {"type": "string"},
    "category": {"enum": ["safeguarding", "injury", "wellbeing", "behavior", "private", "normal"]},
    "summary": {"type": "string"},
    "confidence": {"type": "number"},
}
PACK: dict[str, Any] = {
    "type": "object",
    "properties": {
        "answers": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": ANSWER,
                "required": list(ANSWER),
                "additionalProperties": False,
            },
        }
    },
    "required": ["answers"],
    "additionalProperties": False,
}


def reply(notes: int, tokens: int | None = None, max_tokens: int = 5_000) -> Reply:
    blocks = ['<player>\n{"first_name": "Clodagh"}\n</player>']
    for n in range(1, notes + 1):
        blocks.append(f'<note>\n{{"id": "{n}", "title": "Passing", "text": "Pass {n} was good."}}\n</note>')
    request = {
        "model": "claude-haiku-5-5",
        "max_tokens": max_tokens,
        "thinking": {"type": "disabled"},
        "messages": [{"role": "user", "content": [{"type": "text", "text": block} for block in blocks]}],
        "output_config": {"format": {"type": "json_schema", "schema": PACK}},
    }
    return write_reply(MessageRequest.model_validate(request), HAIKU, None, tokens)


@pytest.mark.parametrize("notes", [1, 2, 5, 20])
def test_every_note_of_a_pack_is_answered_under_its_id(notes: int) -> None:
    content = json.loads(reply(notes).text)
    jsonschema.validate(content, PACK)
    assert [answer["id"] for answer in content["answers"]] == [str(n) for n in range(1, notes + 1)]
    assert all(next(iter(answer)) == "id" for answer in content["answers"])


@pytest.mark.parametrize("notes", [0, 1, 2, 5])
def test_fixed_answer_tokens_are_billed_for_each_note_and_once_where_there_is_none(notes: int) -> None:
    assert reply(notes, tokens=140).output_tokens == 140 * max(1, notes)
    assert reply(notes, tokens=140).text == reply(notes).text


def test_a_pack_whose_fixed_tokens_do_not_fit_ends_at_max_tokens() -> None:
    cut = reply(5, tokens=140, max_tokens=500)
    assert (cut.output_tokens, cut.stop_reason) == (500, "max_tokens")
