"""What holds of the screen for any text."""

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from core.roster import Child, Roster
from core.screening import Finding, screen_note, screen_summary
from core.states import Tone
from tests.unit.test_screening import ATTACKS, HARMLESS, NEGATED, PLAIN, SUBTLE

AOIFE = Child("Aoife", "Kelly")
ROSTER = Roster([("Mark", "Byrne"), ("Ciarán", "Mac Giolla Chuda"), ("Rose", "Long"), ("Aoife", "Walsh")])
LINES = [*HARMLESS, *NEGATED, *SUBTLE, *ATTACKS, *(text for text, _ in PLAIN), "Rose took it off Mark"]
NOT_BY_CASE = {Finding.CONTACT, Finding.OTHER_PERSON}  # postcodes, and names that are words too

lines = st.lists(st.sampled_from(LINES), min_size=1, max_size=4).map(". ".join)
texts = st.one_of(lines, st.text(max_size=120))


def found(text: str) -> set[Finding]:
    return set(screen_note("", text, AOIFE, ROSTER).findings)


@given(lines, texts)
@settings(max_examples=60, deadline=None)
def test_a_sentence_more_never_takes_a_finding_away(text: str, more: str) -> None:
    assert found(text) <= found(f"{text}. {more}")
    assert found(text) <= set(screen_note("", more, AOIFE, ROSTER).findings) | found(f"{text}.\n{more}")


@given(lines)
@settings(max_examples=60, deadline=None)
def test_case_accents_and_width_do_not_matter(text: str) -> None:
    expected = found(text) - NOT_BY_CASE
    assert found(text.upper()) - NOT_BY_CASE == expected
    assert found(text.lower()) - NOT_BY_CASE == expected
    wide = "".join(
        chr(ord(char) + 0xFEE0) if "!" <= char <= "~" and char.isalpha() else char for char in text
    )
    assert found(wide) - NOT_BY_CASE == expected
    accented = unicodedata.normalize("NFC", "".join(char + "\u0301" * (char in "aeiou") for char in text))
    assert found(accented) - NOT_BY_CASE >= expected - {Finding.INSTRUCTIONS, Finding.UNREADABLE}
    hidden = "\u200b".join(text)
    assert found(hidden) - NOT_BY_CASE == expected


@given(st.text(max_size=200), st.text(max_size=60), st.text(max_size=20), st.sampled_from(Tone))
@settings(max_examples=60, deadline=None)
def test_no_text_is_too_strange_and_the_findings_are_in_order(
    text: str, other: str, name: str, tone: Tone
) -> None:
    child, roster = Child(name, other), Roster([(name, None), (other, name)])
    order = list(Finding)
    for screened in (
        screen_note(other, text, child, roster),
        screen_summary(text, other, child, roster, tone),
    ):
        assert list(screened.findings) == sorted(set(screened.findings), key=order.index)
