"""How a request becomes blocks: identity, size, order."""

from typing import Any

import pytest

from emulator.request.catalog import load_catalog
from emulator.request.prompt import PREAMBLE_FRAME_TOKENS, Prompt, chain, render
from emulator.request.shapes import PromptRequest

CATALOG = load_catalog()
HAIKU = CATALOG["claude-haiku-5-5"]
FORMAT = {
    "type": "json_schema",
    "schema": {"type": "object", "properties": {}, "additionalProperties": False},
}
BASE: dict[str, Any] = {
    "model": "claude-haiku-5-5",
    "system": [{"type": "text", "text": "You are a coach."}],
    "tools": [{"name": "look", "input_schema": {"type": "object"}}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "text", "text": "there"}]}
    ],
}


def rendered(preamble_tokens: int | None = None, **changes: Any) -> Prompt:
    return render(PromptRequest.model_validate({**BASE, **changes}), HAIKU, preamble_tokens)


def identity(prompt: Prompt) -> bytes:
    return list(chain(prompt))[-1][0]


@pytest.mark.parametrize(
    ("model", "characters", "tokens"),
    [
        ("claude-haiku-5-5", 0, 0),
        ("claude-haiku-5-5", 1, 1),
        ("claude-haiku-5-5", 5, 2),
        ("claude-haiku-5-5", 6, 3),
        ("claude-haiku-5-5", 2_500, 1_000),
        ("claude-haiku-4-5", 7, 2),
        ("claude-haiku-4-5", 3_500, 1_000),
    ],
)
def test_a_token_is_2_5_characters_for_5x_models_and_3_5_before(
    model: str, characters: int, tokens: int
) -> None:
    assert CATALOG[model].tokens(characters) == tokens


@pytest.mark.parametrize("tokens", [1, 2, 3, 100, 999])
def test_the_characters_that_fit_into_tokens_really_fit(tokens: int) -> None:
    room = HAIKU.characters(tokens)
    assert HAIKU.tokens(room) <= tokens < HAIKU.tokens(room + 1)


def test_the_tokens_of_a_prefix_are_the_sum_of_its_blocks() -> None:
    prompt = rendered()
    sizes = [tokens for _, tokens in chain(prompt)]
    assert sizes == [sum(b.tokens for b in prompt.blocks[: i + 1]) for i in range(len(prompt.blocks))]
    assert sizes[-1] == prompt.tokens


def test_blocks_are_laid_out_as_tools_then_system_then_messages() -> None:
    paths = [block.path for block in rendered().blocks]
    assert paths == ["tools.0", "system.0", "messages.0.content.0", "messages.0.content.1"]


@pytest.mark.parametrize(
    "change",
    [
        {"system": [{"type": "text", "text": "You are a coach!"}]},
        {"tools": []},
        {"tools": [{"name": "look", "input_schema": {"type": "object"}, "description": "around"}]},
        {"messages": [{"role": "user", "content": "Hellothere"}]},
        {"thinking": {"type": "disabled"}},
        {"output_config": {"effort": "low"}},
        {"output_config": {"format": FORMAT}},
    ],
    ids=lambda change: ",".join(change),
)
def test_whatever_the_model_sees_is_part_of_the_identity(change: dict[str, Any]) -> None:
    assert identity(rendered(**change)) != identity(rendered())


def test_a_marker_is_not_part_of_the_identity() -> None:
    marked = [{"type": "text", "text": "You are a coach.", "cache_control": {"type": "ephemeral"}}]
    assert identity(rendered(system=marked)) == identity(rendered())


def test_a_string_is_shorthand_for_one_text_block() -> None:
    assert identity(rendered(system="You are a coach.")) == identity(rendered())


def test_the_same_text_from_another_role_is_another_prefix() -> None:
    ask = {"role": "user", "content": "Go on"}
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}, ask]
    asked = [{"role": "user", "content": "Hi"}, {"role": "user", "content": "Hello"}, ask]
    assert identity(rendered(messages=said)) != identity(rendered(messages=asked))


def test_a_format_adds_a_preamble_of_its_schema_and_some_words_at_the_front() -> None:
    schema_characters = len('{"additionalProperties":false,"properties":{},"type":"object"}')
    expected = HAIKU.tokens(schema_characters) + PREAMBLE_FRAME_TOKENS
    assert rendered(output_config={"format": FORMAT}).tokens == rendered().tokens + expected


def test_the_preamble_can_be_fixed() -> None:
    assert rendered(250, output_config={"format": FORMAT}).tokens == rendered().tokens + 250
    assert rendered(250).preamble_tokens == 0


def test_a_top_level_marker_marks_the_last_block() -> None:
    marks = [block.ttl for block in rendered(cache_control={"type": "ephemeral", "ttl": "1h"}).blocks]
    assert marks == [None, None, None, "1h"]
