"""How a person names a prompt version, and how two of them differ."""

from dataclasses import replace

import pytest

from core.errors import BadInput
from core.prompt import PromptTexts, texts_of
from core.prompt_versions import current_texts, difference, only_one, version_digits
from core.states import Tone

SOCCER = texts_of("soccer", Tone.WARM)


def test_the_current_texts_are_named_by_sport_and_tone() -> None:
    assert current_texts("current:soccer/warm") == SOCCER
    assert current_texts("6090c52e881f") is None


@pytest.mark.parametrize(
    ("reference", "named"),
    [
        ("current:soccer/loud", "warm, professional, brief"),
        ("current:soccer", "brief"),
        ("current:/warm", "rugby"),
    ],
)
def test_an_unknown_sport_or_tone_is_refused_and_the_known_ones_are_named(reference: str, named: str) -> None:
    with pytest.raises(BadInput, match=named):
        current_texts(reference)


@pytest.mark.parametrize("reference", ["", "abc", "soccer", "abcg", "abcd ", "%bcd"])
def test_what_is_no_version_is_refused_with_the_next_step(reference: str) -> None:
    with pytest.raises(BadInput, match="touchline prompts list"):
        version_digits(reference)


def test_four_hex_digits_are_enough_in_any_capitals() -> None:
    assert [version_digits(digits) for digits in ("0af3", "0AF3", SOCCER.version)] == [
        "0af3",
        "0af3",
        SOCCER.version,
    ]


def test_a_reference_must_mean_exactly_one_version() -> None:
    other = replace(SOCCER, version="abcd00000000")
    assert only_one("abcd", [SOCCER, SOCCER]) == SOCCER
    with pytest.raises(BadInput, match=f"abcd00000000.*{SOCCER.version}|{SOCCER.version}.*abcd00000000"):
        only_one("abcd", [SOCCER, other])
    with pytest.raises(BadInput, match="touchline prompts list"):
        only_one("abcd", [])


def test_only_texts_that_differ_are_in_the_difference() -> None:
    changed = replace(SOCCER, version="abcd00000000", tone_text=SOCCER.tone_text.replace("Friendly", "Kind"))
    found = difference(SOCCER, changed)
    assert list(found) == ["tone_text"]
    lines = found["tone_text"]
    assert lines[:2] == [
        f"--- {SOCCER.version} soccer warm/tone_text",
        "+++ abcd00000000 soccer warm/tone_text",
    ]
    assert [line[:1] for line in lines[2:]] == ["@", " ", " ", "-", "+"]
    assert "Friendly" in lines[-2]
    assert "Kind" in lines[-1]
    assert difference(SOCCER, SOCCER) == {}


def test_every_text_can_be_in_a_difference_and_nothing_else() -> None:
    other = PromptTexts("abcd00000000", "hurling", Tone.BRIEF, "a", "b", "c", "d", "e")
    assert list(difference(SOCCER, other)) == [
        "format",
        "instructions",
        "sport_sheet",
        "tone_text",
        "answer_schema",
    ]
