"""An answer is taken whole or refused with a fixed word that gives nothing away."""

import json
from importlib.resources import files
from typing import Any

import pytest
from anthropic import transform_schema

from core.answer import REASON_CHARS_MAX, SUMMARY_CHARS_MAX, Answer, UnusableAnswer, parse_answer
from core.categories import Category
from core.errors import Rejected
from core.states import Flag

GOOD: dict[str, Any] = {
    "category": "injury",
    "category_confidence": 0.97,
    "reason": "ankle",
    "summary": "Ciarán came off with a sore ankle.",
    "confidence": 0.8,
    "flags": ["names_other_person"],
}


def refusal(text: str) -> UnusableAnswer:
    with pytest.raises(UnusableAnswer) as caught:
        parse_answer(text)
    return caught.value


def test_a_good_answer_becomes_a_value() -> None:
    answer = parse_answer(json.dumps(GOOD))
    assert answer.category is Category.INJURY
    assert answer.flags == (Flag.NAMES_OTHER_PERSON,)
    assert answer.summary == "Ciarán came off with a sore ankle."


def test_a_reason_may_be_empty_and_flags_too() -> None:
    answer = parse_answer(json.dumps(GOOD | {"reason": "", "flags": []}))
    assert (answer.reason, answer.flags) == ("", ())


@pytest.mark.parametrize("number", [0, 1, 0.0, 1.0])
def test_the_ends_of_the_scale_may_be_integers(number: float) -> None:
    answer = parse_answer(json.dumps(GOOD | {"confidence": number, "category_confidence": number}))
    assert (answer.confidence, answer.category_confidence) == (number, number)


def test_a_flag_said_twice_counts_once() -> None:
    assert parse_answer(json.dumps(GOOD | {"flags": ["needs_context"] * 2})).flags == (Flag.NEEDS_CONTEXT,)


@pytest.mark.parametrize(
    "text",
    ["", "null}", "Here you go: {}", "```json\n{}\n```", json.dumps(GOOD)[:-20], json.dumps(GOOD) + "!"],
)
def test_what_is_not_json_is_refused_as_such(text: str) -> None:
    assert str(refusal(text)) == "not_json"


@pytest.mark.parametrize(
    "change",
    [
        {"category": "Injury"},
        {"category": "other"},
        {"category_confidence": 1.01},
        {"category_confidence": -0.01},
        {"confidence": "0.8"},
        {"confidence": True},
        {"confidence": None},
        {"confidence": float("nan")},
        {"confidence": float("inf")},
        {"summary": ""},
        {"summary": " \n"},
        {"summary": "x" * (SUMMARY_CHARS_MAX + 1)},
        {"summary": "cut\u0000off"},
        {"reason": "x" * (REASON_CHARS_MAX + 1)},
        {"reason": "\u001b[31m"},
        {"flags": "needs_context"},
        {"flags": ["praise"]},
        {"id": "insight-1"},
    ],
    ids=repr,
)
def test_what_is_off_the_schema_is_refused_as_such(change: dict[str, Any]) -> None:
    assert str(refusal(json.dumps(GOOD | change))) == "off_schema"


@pytest.mark.parametrize("name", list(GOOD))
def test_no_field_may_be_missing(name: str) -> None:
    answer = {key: value for key, value in GOOD.items() if key != name}
    assert refusal(json.dumps(answer)).reason == "off_schema"


def test_the_text_of_a_refused_answer_is_nowhere_in_the_error() -> None:
    error = refusal(json.dumps(GOOD | {"summary": "Secret words" * 500}))
    assert isinstance(error, Rejected)
    assert error.args == ("off_schema",)
    assert error.__cause__ is None
    assert error.__context__ is None


def test_an_answer_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse_answer(json.dumps(GOOD)).category = Category.NORMAL  # type: ignore[misc]


def without_words(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Put definitions in place and drop titles and descriptions: they are tokens, not structure."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    plain = {key: value for key, value in schema.items() if key not in ("title", "description", "$defs")}
    if "properties" in plain:
        plain["properties"] = {k: without_words(v, definitions) for k, v in plain["properties"].items()}
    if "items" in plain:
        plain["items"] = without_words(plain["items"], definitions)
    return plain


def test_the_packaged_schema_is_the_models_own_without_words() -> None:
    packaged = json.loads((files("core") / "prompts" / "answer.schema.json").read_text(encoding="utf-8"))
    made = transform_schema(Answer)
    expected = without_words(made, made["$defs"])
    assert packaged == expected
    assert list(packaged["properties"]) == list(expected["properties"])  # the order the model writes in
