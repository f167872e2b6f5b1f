"""The word lists of the screen, as they lie in `core/words`, and what each word of a text is to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import yaml
from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

from core.screening_patterns import (
    MISSPELLED_LETTERS_MIN,
    Book,
    Pattern,
    Sets,
    begins,
    parse,
    simple,
    spellings,
    split,
)
from core.screening_text import WORDS_KEPT, Word, stem

LISTS = (
    *("injury", "recovery", "illness", "wellbeing", "safeguarding", "behavior", "private", "home", "body"),
    *("contact", "health_advice", "instructions", "leaked_instructions", "others", "sports"),
)
TITLE_WORDS = 4  # a title of so few words says no more than the note that it stands over
TWO_MISTAKES_LETTERS_MIN = 8  # in a shorter word two wrong letters make another word

_WORDS = files("core") / "words"


@dataclass(frozen=True, slots=True)
class Group:
    """Words of a list that are there for one reason."""

    finding: str
    reason: str
    terms: tuple[Pattern, ...]
    harmless: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """Where a pattern of a list is in a text."""

    finding: str
    pattern: str
    places: tuple[int, ...]


@cache
def groups() -> tuple[Group, ...]:
    """Read all lists. Only whoever screens needs them, so they are read when first asked for."""
    return tuple(_group(name, one) for name in LISTS for one in file(name)["groups"])


@cache
def sets() -> Sets:
    """Read the named sets of words."""
    return {name: tuple(split(words)) for name, words in file("sets").items()}


@cache
def file(name: str) -> Mapping[str, Any]:
    """Read one data file."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    lists: Mapping[str, Any] = yaml.load((_WORDS / f"{name}.yaml").read_text("utf-8"), loader)
    return lists


def matches(
    words: Sequence[Word], *names: frozenset[str], without: frozenset[str] = frozenset()
) -> list[Match]:
    """Return what the lists find in a text. `names` are no misspelled words; findings `without` are left out.

    A harmless phrase takes its words out of every finding, but for one that contains the whole phrase and
    more: "knock on" is harmless, "a knock on the knee" is not.
    """
    terms, harmless = _books()
    keys = [
        _keys(word.plain) if any(word.plain in known for known in names) else _keys_misspelled(word.plain)
        for word in words
    ]
    found = [
        (*_terms()[number], places)
        for number, places in terms.matches(keys, words)
        if _terms()[number][0] not in without
    ]
    if not found:
        return []
    shields = [set(places) for _, places in harmless.matches(keys, words, clauses=True)]
    weighty = [word.plain not in _small_words() for word in words]
    left = [
        Match(finding, pattern.source, places)
        for finding, pattern, places in found
        if not any(_shields(shield, places, weighty) for shield in shields)
    ]
    return _without_echoes(left, words, shields, weighty)


def _without_echoes(
    left: list[Match], words: Sequence[Word], shields: list[set[int]], weighty: list[bool]
) -> list[Match]:
    """Leave out what is found in a short title alone, of a word that a harmless phrase below explains.

    "Tape": "Breasted the tape a yard clear". No more is left out as soon as anything is found below it.
    """
    title = sum(word.sentence == 0 for word in words) - 2  # without its ends
    if title > TITLE_WORDS or any(words[place].sentence for match in left for place in match.places):
        return left
    explained = {stem(words[place].plain) for shield in shields for place in shield if words[place].sentence}
    return [
        match
        for match in left
        if not explained.issuperset(stem(words[place].plain) for place in _core(match.places, weighty))
    ]


def _shields(shield: set[int], places: tuple[int, ...], weighty: list[bool]) -> bool:
    """Say whether a phrase takes a finding away: not by sharing a small word ("on", "his") with it alone."""
    return not shield.isdisjoint(_core(places, weighty)) and not shield < set(places)


def _core(places: tuple[int, ...], weighty: list[bool]) -> tuple[int, ...]:
    return tuple(place for place in places if weighty[place]) or places


@cache
def _small_words() -> frozenset[str]:
    return frozenset(split(file("sets")["small"]))


def _group(name: str, one: Mapping[str, str]) -> Group:
    terms, harmless = (
        tuple(parse(each, sets()) for line in split(one.get(part, "")) for each in simple(line))
        for part in ("terms", "harmless")
    )
    return Group(file(name)["finding"], one["reason"], terms, harmless)


@cache
def _terms() -> tuple[tuple[str, Pattern], ...]:
    return tuple((group.finding, pattern) for group in groups() for pattern in group.terms)


@cache
def _books() -> tuple[Book, Book]:
    harmless = (pattern for group in groups() for pattern in group.harmless)
    return Book(pattern for _, pattern in _terms()), Book(harmless)


@lru_cache(WORDS_KEPT)
def _keys(word: str) -> tuple[str, ...]:
    """Return what of the lists a word is."""
    known = _known_keys()
    keys = {key for key in ("=" + word, stem(word)) if key in known}
    return tuple(keys.union(start + "*" for start in begins(known) if word.startswith(start)))


@lru_cache(WORDS_KEPT)
def _keys_misspelled(word: str) -> tuple[str, ...]:
    """Return what of the lists a word is, or what it would be if it were spelled well."""
    meant = {key for one in meant_by(word) for key in _keys(one) if key[0] != "="}
    return (*_keys(word), *sorted(meant))


def meant_by(word: str) -> tuple[str, ...]:
    """Return the words of the lists that a word is a misspelling of, if it is neither theirs nor ordinary.

    Neighbours exchanged, a letter too many, too few or wrong: one of these, in long words two. Of several
    that are as near all are meant: it errs towards review.
    """
    stemmed = stem(word)
    known = any(key[0] != "=" for key in _keys(word)) or not ordinary().isdisjoint((word, stemmed))
    if known or len(word) < MISSPELLED_LETTERS_MIN - 1 or not word.isalpha():
        return ()
    for mistakes, spelled in enumerate(_spelled(), start=1):
        for written in dict.fromkeys((word, stemmed)):
            found = extract(written, spelled, scorer=OSA.distance, score_cutoff=mistakes, limit=None)
            if near := tuple(meant for meant, _, _ in found if mistakes == 1 or meant[0] == word[0]):
                return near
    return ()


@cache
def _spelled() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the words of which a misspelling is looked for: all, and those long enough for two mistakes."""
    words = {
        word for group in groups() for pattern in group.terms for word in spellings(pattern.source, sets())
    }
    words |= {stem(word) for word in words if len(stem(word)) >= MISSPELLED_LETTERS_MIN}
    return tuple(sorted(words)), tuple(sorted(one for one in words if len(one) >= TWO_MISTAKES_LETTERS_MIN))


@cache
def ordinary() -> frozenset[str]:
    """Return ordinary words that only look like misspelled ones ("winger", "bruce")."""
    lines = (_WORDS / "ordinary.txt").read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


@cache
def _known_keys() -> frozenset[str]:
    return _books()[0].keys | _books()[1].keys
