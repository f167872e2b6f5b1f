"""Every entry of the word lists is reached, has its reason, and takes no ordinary word for its own."""

import re

import pytest

from core import screening_lists as lists
from core.prompt import sport_sheet, sports
from core.screening import Finding
from core.screening_patterns import Pattern, parse, sample, simple, split
from core.screening_text import plain, read, stem


def entries(kind: str) -> list[tuple[str, str]]:
    return [
        (lists.file(name)["finding"], entry)
        for name in lists.LISTS
        for group in lists.file(name)["groups"]
        for entry in split(group.get(kind, ""))
    ]


def findings(text: str) -> set[str]:
    return {match.finding for match in lists.matches(read(text))}


def test_each_term_is_found_by_itself() -> None:
    unreached = [
        entry for finding, entry in entries("terms") if finding not in findings(sample(entry, lists.sets()))
    ]
    assert unreached == []


def test_each_harmless_phrase_is_let_pass_by_itself() -> None:
    assert [entry for _, entry in entries("harmless") if findings(sample(entry, lists.sets()))] == []


@pytest.mark.parametrize("name", lists.LISTS)
def test_each_group_says_why_it_is_there_and_what_it_finds(name: str) -> None:
    assert Finding(lists.file(name)["finding"])
    for group in lists.file(name)["groups"]:
        assert group["reason"].endswith((".", "!"))
        assert group.keys() <= {"reason", "terms", "harmless"}


def test_the_big_lists_hold_hundreds_of_terms() -> None:
    held = [finding for finding, _ in entries("terms")]
    assert all(held.count(finding) > 300 for finding in ("injury", "wellbeing", "behavior", "safeguarding"))


def test_no_term_stands_twice_in_a_group() -> None:
    for name in lists.LISTS:
        for group in lists.file(name)["groups"]:
            terms = split(group.get("terms", ""))
            assert len(terms) == len(set(terms)), name


@pytest.mark.parametrize("sport", sports())
def test_no_word_of_a_sport_is_taken_for_a_misspelled_one(sport: str) -> None:
    words = {plain(word) for word in re.findall(r"[^\W\d_]+", sport_sheet(sport))}
    assert {word: lists.meant_by(word) for word in words if lists.meant_by(word)} == {}


@pytest.mark.parametrize(
    ("word", "meant"),
    [("hamstirng", "hamstring"), ("ancle", "ankle"), ("swolen", "swollen"), ("fracturd", "fracture")],
)
def test_a_misspelled_word_is_one_that_it_is_near_to(word: str, meant: str) -> None:
    assert stem(meant) in {stem(one) for one in lists.meant_by(word)}


@pytest.mark.parametrize("word", ["quick", "sliotar", "prank", "acre", "ankle", "bruce", "aren", "arent"])
def test_an_ordinary_word_is_not_taken_for_a_misspelled_one(word: str) -> None:
    assert lists.meant_by(word) == ()


def pattern(source: str) -> Pattern:
    return parse(source, lists.sets())


def test_a_pattern_without_a_word_is_an_error() -> None:
    with pytest.raises(ValueError, match="without a word"):
        pattern(" .. ")
    with pytest.raises(KeyError):
        pattern("<nothing>")


def test_a_hyphen_makes_two_words_or_one() -> None:
    assert list(simple("head-butt")) == ["headbutt", "head-butt"]
    assert list(simple("a/moon-boot b")) == ["a/moonboot b", "moon-boot b"]


def test_his_or_her_is_their_too() -> None:
    assert list(simple("=his/her own")) == ["=his/her/their own"]
