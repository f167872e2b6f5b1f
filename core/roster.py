"""The names of a club's people, and which of them a text says: without accents, in any case."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from core.screening_lists import file
from core.screening_patterns import split
from core.screening_text import END, START, Word, plain, read

SHORT_FORM = 3  # letters of a name that its short forms keep
_CASUAL_S_LETTERS_MIN = 4  # "Ciaras" without its apostrophe; "Tess" is not "Tes"


@dataclass(frozen=True, slots=True)
class Child:
    """The player that a note is about."""

    first_name: str
    last_name: str | None


class Roster:
    """All people of a club by name; built once, asked for each text."""

    def __init__(self, people: Iterable[tuple[str, str | None]]) -> None:
        self._names: dict[str, set[tuple[str, ...]]] = {}
        for first, last in people:
            for name in (*_first_names(first), *_last_names(last or "")):
                self._names.setdefault(name[0], set()).add(name)
        self.words = frozenset(word for names in self._names.values() for name in names for word in name)

    def others(self, words: Sequence[Word], child: Child) -> Iterator[tuple[int, ...]]:
        """Give the places of each name in a text that is not made of the child's own names."""
        own = own_words(child)
        for name, places in said(words, self._names):
            if not own.issuperset(name):
                yield places


def strangers(words: Sequence[Word], child: Child, roster: Roster) -> Iterator[tuple[int, ...]]:
    """Give the places of common first names, of nobody in the roster, that stand as names in a sentence.

    A short form of the child's own name ("Dan", "Seánie") is the child's.
    """
    own, (common, no_person_before) = own_words(child), _common_names()
    for place, word in enumerate(words):
        if not word.capital or word.plain not in common or word.plain in roster.words:
            continue
        named = any(each.startswith(word.plain[:SHORT_FORM]) for each in own)
        if named or words[place - 1].plain == START or words[place + 1].plain in no_person_before:
            continue
        if _capitals_tell(words, place) and _is_name(words, place, place + 1, (word.plain,)):
            yield (place,)


@cache
def _common_names() -> tuple[frozenset[str], frozenset[str]]:
    lists = file("first_names")
    names, before = (frozenset(map(plain, split(lists[key]))) for key in ("names", "no_person_before"))
    return names, before


def last_name_places(words: Sequence[Word], child: Child) -> Iterator[tuple[int, ...]]:
    """Give the places of the child's own last name, or of a part of it, in a text."""
    first = {word for name in _first_names(child.first_name) for word in name}
    names: dict[str, set[tuple[str, ...]]] = {}
    for name in _last_names(child.last_name or ""):
        if not first.issuperset(name):
            names.setdefault(name[0], set()).add(name)
    for _, places in said(words, names):
        yield places


@lru_cache(4096)
def own_words(child: Child) -> frozenset[str]:
    """Return every word that the child's names are written with."""
    names = (*_first_names(child.first_name), *_last_names(child.last_name or ""))
    return frozenset(word for name in names for word in name) | frozenset(_words(child.last_name or ""))


def said(
    words: Sequence[Word], names: dict[str, set[tuple[str, ...]]]
) -> Iterator[tuple[tuple[str, ...], tuple[int, ...]]]:
    """Give each of the names that a text says, and where. Names are kept by their first word."""
    for place, word in enumerate(words):
        for spelled in _spellings(word.plain):
            for name in names.get(spelled, ()):
                end = place + len(name)
                rest = tuple(one.plain for one in words[place + 1 : end])
                if (rest == name[1:] or _casual(rest) == name[1:]) and _is_name(words, place, end, name):
                    yield name, tuple(range(place, end))


def _spellings(word: str) -> tuple[str, ...]:
    if word.endswith("s") and len(word) > _CASUAL_S_LETTERS_MIN and word[:-1] not in _lists().ambiguous:
        return (word, word[:-1])
    return (word,)


def _casual(words: tuple[str, ...]) -> tuple[str, ...]:
    return (*words[:-1], words[-1].removesuffix("s")) if words else words


def _is_name(words: Sequence[Word], place: int, end: int, name: tuple[str, ...]) -> bool:
    """Say whether a name is meant as one, and not as a word, a club's or a place's."""
    lists = _lists()
    before, after = words[place - 1].plain, words[end].plain
    if after in lists.no_name_before or before in lists.saints:
        return False
    if len(name) > 1:
        return True
    word = name[0]
    if word in lists.places and (after in lists.no_place_before or before in lists.no_place_after):
        return False
    return word not in lists.ambiguous or _ambiguous_is_name(words, place, before, after)


def _ambiguous_is_name(words: Sequence[Word], place: int, before: str, after: str) -> bool:
    lists, word = _lists(), words[place]
    if before in lists.no_name_after or (word.plain in lists.months and before in lists.no_month_after):
        return False
    if word.capital and before != START and _capitals_tell(words, place):
        return True
    person = word.plain in lists.people
    if person and word.possessive and word.plain not in lists.months:
        return True
    said_of = after in lists.said_of_people or (len(after) > 4 and after.endswith("ed"))
    if before == START or words[place - 1].clause != word.clause:
        return said_of and (
            person or (word.capital and after not in ("and", "or", "is", "was", "were", "again"))
        )
    if not person:
        return False
    return (before in lists.name_after and said_of) or (before in lists.alone_behind and after == END)


def _capitals_tell(words: Sequence[Word], place: int) -> bool:
    """Say whether in this sentence a capital means something: not in a title, nor in capitals throughout."""
    others = [
        word.capital
        for word in words
        if word.sentence == words[place].sentence
        and word.plain not in (START, END)
        and word is not words[place]
    ][1:]
    return len(others) < 2 or sum(others) <= 0.6 * len(others)


def _words(name: str) -> tuple[str, ...]:
    return tuple(word.plain for word in read(name) if word.plain not in (START, END))


def _first_names(name: str) -> Iterator[tuple[str, ...]]:
    """Give a first name, and of several words the first by itself."""
    words = _words(name)
    if words and (len(words) > 1 or words[0] not in _lists().never):
        yield words
    if len(words) > 1:
        yield ("".join(words),)
        if len(words[0]) > 2 and words[0] not in _lists().never:
            yield words[:1]


def _last_names(name: str) -> Iterator[tuple[str, ...]]:
    """Give a last name, written as one word too, and those of its words that are no particles."""
    words, lists = _words(name), _lists()
    if len(words) > 1:
        yield words
        yield ("".join(words),)
    for word in words:
        if len(word) > 1 and word not in lists.particles and word not in lists.never:
            yield (word,)
    if len(words) == 1 and words[0].startswith("o") and "'" in name.replace("’", "'"):
        yield ("o", words[0][1:])


@dataclass(frozen=True, slots=True)
class _Lists:
    people: frozenset[str]
    ambiguous: frozenset[str]
    places: frozenset[str]
    months: frozenset[str]
    saints: frozenset[str]
    no_name_after: frozenset[str]
    no_name_before: frozenset[str]
    no_month_after: frozenset[str]
    no_place_after: frozenset[str]
    no_place_before: frozenset[str]
    said_of_people: frozenset[str]
    name_after: frozenset[str]
    alone_behind: frozenset[str]
    particles: frozenset[str]
    never: frozenset[str]


@cache
def _lists() -> _Lists:
    lists = file("names_that_are_words")

    def words(text: str) -> frozenset[str]:
        return frozenset(plain(word) for word in split(text))

    people, things = (
        frozenset().union(*(words(group[kind]) for group in lists["groups"] if kind in group))
        for kind in ("people", "things")
    )
    months = words(lists["months"])
    rest = {name: words(lists[name]) for name in _Lists.__slots__ if name in lists and name != "months"}
    saints = words("st, saint, naomh, scoil, mount, san, santa")
    return _Lists(people=people, ambiguous=people | things | months, months=months, saints=saints, **rest)
