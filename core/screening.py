"""The deterministic screen: what a note or a summary holds that a person should see first. Pure.

It knows words and no meaning, and errs towards review: what it finds may be harmless, and a negation
("no injury") clears nothing. What it says never holds any of the text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from core import screening_rules as rules
from core import screening_summary as of_summary
from core.categories import Category, most_severe
from core.roster import Child, Roster, last_name_places, own_words, strangers
from core.screening_lists import matches
from core.screening_text import Word, read
from core.states import Tone

__all__ = [
    "Child",
    "Finding",
    "Roster",
    "Screened",
    "explain_note",
    "explain_summary",
    "screen_note",
    "screen_summary",
]


class Finding(StrEnum):
    """What a word list or a rule has found; the value is stored, and shown to the coach."""

    SAFEGUARDING = "safeguarding"  # harm, neglect, fear of somebody, secrets, self-harm
    INJURY = "injury"  # hurt, ill or treated, or seen to be
    RECOVERY = "recovery"  # coming back from an injury or illness
    HEALTH_ADVICE = "health_advice"  # what to do about health, or how it will turn out
    WELLBEING = "wellbeing"  # feelings, tiredness with life, trouble with others
    BODY = "body"  # weight, eating, looks, growing up
    BEHAVIOR = "behavior"  # conduct, bad or good
    PRIVATE_INTENT = "private_intent"  # meant for the coach or staff, or about talks with parents
    HOME = "home"  # family, school or money
    OTHER_PERSON = "other_person"  # somebody else: by a name from the club's roster, or plainly meant
    CONTACT = "contact"  # telephone number, address, account, link
    INSTRUCTIONS = "instructions"  # speaks to a program, to change what it does
    UNREADABLE = "unreadable"  # another script or language, or no language: the lists say nothing about it
    LAST_NAME = "last_name"  # a summary says the child's own last name
    INVENTED_NUMBER = "invented_number"  # a summary says a number or rating that its note does not
    WRONG_LENGTH = "wrong_length"  # a summary is too long for its tone, or empty
    LEAKED_INSTRUCTIONS = "leaked_instructions"  # a summary quotes the prompt, or holds markup


_CATEGORY = {
    Finding.SAFEGUARDING: Category.SAFEGUARDING,
    Finding.INJURY: Category.INJURY,
    Finding.RECOVERY: Category.INJURY,
    Finding.HEALTH_ADVICE: Category.INJURY,
    Finding.WELLBEING: Category.WELLBEING,
    Finding.BODY: Category.WELLBEING,
    Finding.BEHAVIOR: Category.BEHAVIOR,
    Finding.PRIVATE_INTENT: Category.PRIVATE,
    Finding.HOME: Category.PRIVATE,
}
_BLANKS = re.compile(r"\s{2,}")
_NOT_IN_NOTES = frozenset({Finding.LEAKED_INSTRUCTIONS.value})
_NOT_IN_SUMMARIES = frozenset({Finding.INSTRUCTIONS.value})  # what a summary may not say of these is leaked


@dataclass(frozen=True, slots=True)
class Screened:
    """What the screen says of a text; nothing found is the only thing that lets it pass."""

    findings: tuple[Finding, ...]  # each once, in the order of the enumeration
    category: Category  # the most severe that the findings mean; NORMAL when none means one


def screen_note(title: str, description: str, child: Child, roster: Roster) -> Screened:
    """Screen what a coach said."""
    return _screened(explain_note(title, description, child, roster))


def screen_summary(text: str, note: str, child: Child, roster: Roster, tone: Tone) -> Screened:
    """Screen what parents are to read, against the note it was made from."""
    return _screened(explain_summary(text, note, child, roster, tone))


def explain_note(title: str, description: str, child: Child, roster: Roster) -> Iterator[tuple[Finding, str]]:
    """Give each finding with the words it lies in: for tests and for tending the lists, never stored."""
    text = _tight(f"{title}.\n{description}")
    yield from _explained(text, child, roster, without=_NOT_IN_NOTES)
    yield from _named(Finding.INSTRUCTIONS, rules.markup(text))
    yield from _named(Finding.INSTRUCTIONS, iter(_instructions_in_name(child)))


def explain_summary(
    text: str, note: str, child: Child, roster: Roster, tone: Tone
) -> Iterator[tuple[Finding, str]]:
    """Give each finding with the words it lies in: for tests and for tending the lists, never stored."""
    text, note = _tight(text), _tight(note)
    yield from _explained(text, child, roster, without=_NOT_IN_SUMMARIES)
    words = read(text)
    yield from _named(Finding.LAST_NAME, _quoted(words, last_name_places(words, child)))
    yield from _named(Finding.INVENTED_NUMBER, of_summary.invented_numbers(text, note))
    yield from _named(Finding.WRONG_LENGTH, of_summary.wrong_length(text, tone))
    yield from _named(Finding.LEAKED_INSTRUCTIONS, rules.markup(text))
    yield from _named(Finding.LEAKED_INSTRUCTIONS, of_summary.quoted_instructions(words))


def _explained(
    text: str, child: Child, roster: Roster, without: frozenset[str]
) -> Iterator[tuple[Finding, str]]:
    words = read(text)
    names = own_words(child)
    for match in matches(words, roster.words, names, without=without):
        yield Finding(match.finding), _quote(words, match.places)
    yield from _named(Finding.OTHER_PERSON, _quoted(words, roster.others(words, child)))
    yield from _named(Finding.OTHER_PERSON, _quoted(words, strangers(words, child, roster)))
    yield from _named(Finding.OTHER_PERSON, rules.two_kinds_of_person(words))
    yield from _named(Finding.CONTACT, rules.contacts(text, words))
    yield from _named(Finding.UNREADABLE, rules.unreadable(words, roster.words, names))


@lru_cache(4096)
def _instructions_in_name(child: Child) -> tuple[str, ...]:
    """Return what in a child's name speaks to a program: the prompt says the name too."""
    words = read(f"{child.first_name}.\n{child.last_name or ''}")
    found = matches(words, own_words(child), without=_NOT_IN_NOTES)
    return tuple(_quote(words, one.places) for one in found if one.finding == Finding.INSTRUCTIONS)


def _tight(text: str) -> str:
    """Return the text without the rest of each stretch of blanks: they cut no words, and cost time."""
    return _BLANKS.sub(lambda found: "\n" if "\n" in found[0] else " ", text)


def _screened(explained: Iterator[tuple[Finding, str]]) -> Screened:
    found = {finding for finding, _ in explained}
    category = most_severe(Category.NORMAL, *(_CATEGORY[one] for one in found if one in _CATEGORY))
    return Screened(tuple(one for one in Finding if one in found), category)


def _named(finding: Finding, quotes: Iterator[str]) -> Iterator[tuple[Finding, str]]:
    return ((finding, quote) for quote in quotes)


def _quoted(words: Sequence[Word], places: Iterator[tuple[int, ...]]) -> Iterator[str]:
    return (_quote(words, one) for one in places)


def _quote(words: Sequence[Word], places: Sequence[int]) -> str:
    return " ".join(words[place].plain for place in places)
