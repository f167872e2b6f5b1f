"""The answer to a pack: each insight gets what bears its own id, whole and valid, or nothing."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.answer import Answer, UnusableAnswer, parse_answer, parse_pack

GOOD: dict[str, Any] = {
    "category": "normal",
    "category_confidence": 0.97,
    "reason": "",
    "summary": "A good evening.",
    "confidence": 0.8,
    "flags": [],
}
IDS = ("1", "2", "3")


def told(*items: Any) -> dict[str, str]:
    """What each id gets: its summary, or why it has none."""
    return read(json.dumps({"answers": items}))


def read(text: str, ids: tuple[str, ...] = IDS) -> dict[str, str]:
    parsed = parse_pack(text, ids)
    assert tuple(parsed) == ids
    return {key: one.summary if isinstance(one, Answer) else f"({one.reason})" for key, one in parsed.items()}


def good(note_id: Any, **changed: Any) -> dict[str, Any]:
    return {"id": note_id, **GOOD, "summary": f"About {note_id}.", **changed}


def test_each_insight_gets_the_answer_with_its_id_in_whatever_order() -> None:
    assert told(good("3"), good("1"), good("2")) == {"1": "About 1.", "2": "About 2.", "3": "About 3."}


def test_a_part_of_a_pack_is_the_answer_that_it_would_be_alone() -> None:
    parsed = parse_pack(json.dumps({"answers": [{"id": "1", **GOOD}]}), ("1",))
    assert parsed["1"] == parse_answer(json.dumps(GOOD))


def test_an_answer_that_is_not_there_is_missing_and_the_others_are_kept() -> None:
    assert told(good("1"), good("3")) == {"1": "About 1.", "2": "(missing)", "3": "About 3."}


def test_an_id_that_is_answered_twice_is_not_used_even_when_both_say_the_same() -> None:
    assert told(good("1"), good("2"), good("2"), good("3"))["2"] == "(id_twice)"
    assert told(good("1"), good("2"), {"id": "2"}, good("3"))["2"] == "(id_twice)"


@pytest.mark.parametrize("stranger", ["4", "0", "", " 2", "02", 2, 2.0, None, ["2"], {"2": "2"}, True])
def test_what_bears_no_id_of_ours_is_never_used(stranger: Any) -> None:
    assert told(good("1"), good(stranger, summary="Somebody else's."), good("3")) == {
        "1": "About 1.",
        "2": "(missing)",
        "3": "About 3.",
    }


@pytest.mark.parametrize("item", ["text", None, 7, [], [["id", "2"]], {}, GOOD], ids=repr)
def test_what_is_no_answer_at_all_leaves_the_others_alone(item: Any) -> None:
    assert told(good("1"), item, good("3"))["2"] == "(missing)"


@pytest.mark.parametrize(
    "change",
    [
        {"category": "fine"},
        {"confidence": 1.01},
        {"confidence": float("nan")},
        {"confidence": float("inf")},
        {"summary": " "},
        {"summary": "cut\x00off"},
        {"flags": ["nonsense"]},
        {"extra": 1},
        {"answers": []},
    ],
    ids=repr,
)
def test_a_broken_part_keeps_the_others(change: dict[str, Any]) -> None:
    assert told(good("1"), good("2", **change), good("3")) == {
        "1": "About 1.",
        "2": "(off_schema)",
        "3": "About 3.",
    }


@pytest.mark.parametrize("name", list(GOOD))
def test_a_part_without_one_of_its_fields_is_off_the_schema(name: str) -> None:
    part = {key: value for key, value in good("2").items() if key != name}
    assert told(good("1"), part, good("3"))["2"] == "(off_schema)"


@pytest.mark.parametrize("depth", [10, 100, 150, 1_000, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_however_deep_a_part_lies_it_is_refused_and_nothing_falls_over(
    depth: int, opening: str, closing: str
) -> None:
    deep = f"{opening * depth}1{closing * depth}"
    text = f'{{"answers": [{json.dumps(good("1"))}, {{"id": "2", "flags": {deep}}}]}}'
    assert read(text)["2"] in {"(off_schema)", "(not_json)"}


def test_a_number_of_ten_thousand_digits_is_refused() -> None:
    text = f'{{"answers": [{{"id": "2", "confidence": {"1" * 10_000}}}]}}'
    assert read(text)["2"] in {"(off_schema)", "(not_json)"}


@pytest.mark.parametrize(
    "text", ["", "Here you go.", '{"answers": [', '```json\n{"answers": []}\n```', "\x00", '{"answers": []}!']
)
def test_a_pack_that_is_no_json_answers_nothing(text: str) -> None:
    assert read(text) == dict.fromkeys(IDS, "(not_json)")


@pytest.mark.parametrize(
    "whole",
    [
        [],
        [GOOD],
        GOOD,
        {"answers": None},
        {"answers": {"1": GOOD}},
        {"answers": [], "note": "done"},
        {"Answers": []},
        "answers",
        1,
    ],
    ids=repr,
)
def test_a_pack_without_a_list_of_answers_alone_is_off_the_schema(whole: Any) -> None:
    assert read(json.dumps(whole)) == dict.fromkeys(IDS, "(off_schema)")


def test_half_a_character_in_one_part_makes_the_whole_pack_unreadable() -> None:
    """No reader of JSON agrees on what it means; the insights are asked about again."""
    assert told(good("1"), good("2", summary="\ud800")) == dict.fromkeys(IDS, "(not_json)")


def test_an_empty_pack_answers_nothing() -> None:
    assert told() == dict.fromkeys(IDS, "(missing)")


def test_no_word_of_a_refused_part_is_in_its_error() -> None:
    parsed = parse_pack(json.dumps({"answers": [good("1", summary="Secret words" * 500)]}), ("1",))["1"]
    assert isinstance(parsed, UnusableAnswer)
    assert parsed.args == ("off_schema",)
    assert parsed.__cause__ is parsed.__context__ is None


FIELDS = st.sampled_from(["id", "answers", "summary"])
LEAVES = st.sampled_from([None, True, 0, -1.5, float("nan"), "", "1", "2", "normal"])
JSON = LEAVES | st.lists(LEAVES, max_size=2) | st.dictionaries(FIELDS, LEAVES | st.lists(LEAVES), max_size=3)


@given(JSON, st.lists(JSON, max_size=3))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_whatever_else_is_in_a_pack_the_valid_part_is_its_own(whole: Any, others: list[Any]) -> None:
    assert set(read(json.dumps(whole))) == set(IDS)
    ours = [item for item in others if isinstance(item, dict) and item.get("id") == "1"]
    assert told(*others, good("1"))["1"] == ("(id_twice)" if ours else "About 1.")
