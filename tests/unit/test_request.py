"""A request is layers, markers and notes in their order, and asks in one of two forms."""

import json
from typing import Any

import pytest

from core.prompt import LAYER_NAMES, Layer, PlayerFacts, layers, note_text, player_text, sports, texts_of
from core.request import answer_schema, request_body
from core.states import Tone
from tests.unit.planned import pack

CIARAN = PlayerFacts("Ciarán", "u12", "U12 Football", "Half-back", ("Ciarán kicked well.",))
NOTE = note_text("Hand-pass now 4/5", "Clear gains & no throwing it.")
SCHEMA = answer_schema("soccer", Tone.WARM)


def made_up_body(*notes: str) -> dict[str, Any]:
    texts = ("Do the job.", "# Sport", "# Tone", player_text(CIARAN))
    made_up = tuple(Layer(name, text) for name, text in zip(LAYER_NAMES, texts, strict=True))
    markers = {"sport": "1h", "tone": "5m"}
    return request_body("claude-haiku-5-5", made_up, notes or (NOTE,), markers, SCHEMA, 400)  # type: ignore[arg-type]


def test_thinking_is_switched_off_in_the_word_that_the_model_accepts() -> None:
    soccer = layers("soccer", Tone.WARM, CIARAN)
    models = ("claude-haiku-5-5", "claude-sonnet-5-5")
    bodies = [request_body(model, soccer, (NOTE,), {}, SCHEMA, 400) for model in models]
    assert [body["thinking"]["type"] for body in bodies] == ["disabled", "between_tools"]


def test_a_request_marks_exactly_the_layers_it_was_told_to_and_for_how_long() -> None:
    body = made_up_body()
    blocks = [*body["system"], *body["messages"][0]["content"]]
    assert [block.get("cache_control") for block in blocks] == [
        None,
        {"type": "ephemeral", "ttl": "1h"},
        {"type": "ephemeral"},
        None,
        None,
    ]


def test_a_request_asks_for_the_schema_and_for_no_thinking() -> None:
    body = made_up_body()
    assert body["thinking"] == {"type": "disabled"}
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert (body["model"], body["max_tokens"]) == ("claude-haiku-5-5", 400)
    assert [len(body["system"]), len(body["messages"])] == [3, 1]


def test_the_notes_of_a_pack_follow_their_player_in_order() -> None:
    content = made_up_body("one", "two", "three")["messages"][0]["content"]
    assert [block["text"] for block in content] == [player_text(CIARAN), "one", "two", "three"]


def test_marking_a_layer_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match="sprot"):
        request_body("m", layers("soccer", Tone.WARM, CIARAN), (NOTE,), {"sprot": "5m"}, SCHEMA, 400)


def test_a_single_note_is_answered_by_the_object_of_the_schema_file() -> None:
    for sport in sports():
        assert answer_schema(sport, Tone.BRIEF) == json.loads(texts_of(sport, Tone.BRIEF).answer_schema)


def test_a_pack_is_answered_by_a_list_of_such_objects_with_the_id_first() -> None:
    schema = answer_schema("soccer", Tone.WARM, packed=True)
    assert (schema["required"], schema["additionalProperties"]) == (["answers"], False)
    item = schema["properties"]["answers"]["items"]
    assert list(item["properties"]) == ["id", *SCHEMA["properties"]]
    assert item["required"] == ["id", *SCHEMA["required"]]
    assert item["additionalProperties"] is False
    assert {name: item["properties"][name] for name in SCHEMA["properties"]} == SCHEMA["properties"]


def test_the_schema_of_a_pack_is_the_same_bytes_whatever_its_size() -> None:
    """It is a part of what the vendor caches."""
    schemas = {json.dumps(pack(size).body()["output_config"]) for size in (2, 3, 20)}
    assert len(schemas) == 1
    assert json.dumps(pack(1).body()["output_config"]) not in schemas


def test_a_schema_is_a_fresh_copy_each_time() -> None:
    answer_schema("soccer", Tone.WARM, packed=True)["properties"].clear()
    answer_schema("soccer", Tone.WARM)["properties"].clear()
    assert answer_schema("soccer", Tone.WARM) == SCHEMA
    assert answer_schema("soccer", Tone.WARM, packed=True)["properties"]
