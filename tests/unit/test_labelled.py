"""Labelled notes: every line is right or named, and the packaged set covers what it must."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from core.categories import Category
from core.errors import BadInput
from core.labelled import Case, glossary, parse_cases, term_pattern
from core.states import Tone

NOTES = Path(__file__).parent.parent.parent / "examples" / "labelled" / "notes.jsonl"
LINE: dict[str, Any] = {
    "id": "rugby-1",
    "sport": "rugby",
    "tone": "warm",
    "first_name": "Grace",
    "last_name": "O'Driscoll",
    "age_group": "u16",
    "team": "U16 A",
    "position": "Hooker",
    "title": "Offloads",
    "description": "Two offloads stuck, Kate was outside her for both.",
    "category": "normal",
    "terms": ["offload"],
    "other_names": ["Kate"],
}


def case(**changed: Any) -> Case:
    (made,) = parse_cases([json.dumps(LINE | changed)], "notes.jsonl")
    return made


def test_a_line_becomes_a_case() -> None:
    made = case()
    assert (made.tone, made.category, made.terms) == (Tone.WARM, Category.NORMAL, ("offload",))


def test_what_is_optional_may_be_left_out() -> None:
    needed = ("id", "sport", "tone", "first_name", "title", "description", "category")
    (made,) = parse_cases([json.dumps({name: LINE[name] for name in needed})], "notes.jsonl")
    assert (made.last_name, made.terms, made.other_names, made.single_point) == (None, (), (), False)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"sport": "quidditch"}, "no sport sheet for 'quidditch'"),
        ({"tone": "cheerful"}, "tone"),
        ({"category": "fine"}, "category"),
        ({"title": " "}, "title"),
        ({"surname": "Byrne"}, "surname"),
        ({"terms": ["sliotar"]}, "'sliotar' is no term of the sheet of rugby"),
        ({"terms": ["jackal"]}, "'jackal' is not in the note"),
        ({"other_names": ["Jack"]}, "'Jack' must be another person's name"),
        ({"other_names": ["Grace"]}, "'Grace' must be another person's name"),
    ],
)
def test_a_wrong_line_is_named_with_its_file_and_what_is_wrong(changed: dict[str, Any], named: str) -> None:
    lines = [json.dumps(LINE), "", json.dumps(LINE | {"id": "2"} | changed)]
    with pytest.raises(BadInput) as refused:
        parse_cases(lines, "notes.jsonl")
    assert "notes.jsonl line 3: " in str(refused.value)
    assert named in str(refused.value)
    assert "Correct these lines" in str(refused.value)


def test_every_wrong_line_is_named_at_once() -> None:
    with pytest.raises(BadInput, match=r"(?s)line 1: .*line 3: the id 'rugby-1' is taken"):
        parse_cases(["not json", json.dumps(LINE), json.dumps(LINE)], "notes.jsonl")


def test_a_file_without_notes_is_an_error() -> None:
    with pytest.raises(BadInput, match="has no labelled note"):
        parse_cases(["", " "], "notes.jsonl")


def test_the_glossary_has_each_name_of_a_term() -> None:
    terms = glossary("rugby")
    assert terms["jackal"].startswith("winning the ball on the ground")
    assert len(terms) >= 12


@pytest.mark.parametrize(
    ("term", "text", "is_there"),
    [
        ("ruck", "two rucks", True),
        ("ruck", "a truck", False),
        ("jackal", "good Jackalling", True),
        ("run in behind", "great runs in behind", True),
        ("hold-up play", "his hold up play", True),
        ("solo", "soloed off both feet", True),
        ("22", "outside the 22", True),
        ("22", "on 2022", False),
        ("D", "top of the D", True),
        ("D", "did well", False),
    ],
)
def test_a_term_is_found_in_the_forms_a_coach_uses(term: str, text: str, is_there: bool) -> None:
    assert bool(term_pattern(term).search(text)) is is_there


def test_the_packaged_notes_cover_every_sport_tone_and_category() -> None:
    cases = parse_cases(NOTES.read_text("utf-8").splitlines(), NOTES.name)
    sports = Counter(one.sport for one in cases)
    assert len(sports) == 9
    assert set(sports.values()) == {6}
    assert {(one.sport, one.tone) for one in cases} == {(sport, tone) for sport in sports for tone in Tone}
    assert {one.category for one in cases} == set(Category)


def test_every_packaged_note_names_its_player() -> None:
    for one in parse_cases(NOTES.read_text("utf-8").splitlines(), NOTES.name):
        assert one.first_name in one.note or (one.last_name or "-") in one.note, one.id


def test_every_packaged_note_lists_the_terms_that_it_says() -> None:
    for one in parse_cases(NOTES.read_text("utf-8").splitlines(), NOTES.name):
        said = {term for term in glossary(one.sport) if term_pattern(term).search(one.note)}
        assert set(one.terms) == said, one.id
