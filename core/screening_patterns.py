"""The language of the word lists: words with gaps, looked for in a text that has been read.

One pattern is one line or lies between commas. In it

    limp            is that word in any form (limped, limping) and, from five letters on, misspelled
    sore~           is also found misspelled although it is short
    =his            is that word in that form only
    concuss*        is every word that begins so
    took/got        is one of them
    his/her         is "their" too, and so is him/her "them"
    <body>          is any word of the set of that name
    holding .. side has at most two words between
    holding ... side has at most five words between
    ^ knee $        is a sentence by itself, or a title

A pattern never reaches over the end of a sentence. A harmless phrase never reaches over a comma either.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

from core.screening_text import END, START, Word, plain, stem

GAPS = {"..": 2, "...": 5}
_PLURAL = (
    ("his", "her", "their"),
    ("him", "her", "them"),
    ("he", "she", "they"),
    ("himself", "herself", "themselves"),
)
MISSPELLED_LETTERS_MIN = 5
SHORT, COMMON = 3, 50  # words of so few letters are common: count for so many uses


@dataclass(frozen=True, slots=True)
class Step:
    """One place of a pattern: a word has to have one of the keys, at most so many words later."""

    keys: frozenset[str]
    gap: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of a list."""

    source: str
    steps: tuple[Step, ...]


Sets = Mapping[str, Sequence[str]]


def parse(source: str, sets: Sets) -> Pattern:
    """Compile one pattern. Raises KeyError for a set that does not exist, ValueError for an empty one."""
    steps: list[Step] = []
    gap = 0
    for part in source.split():
        if part in GAPS:
            gap = GAPS[part]
        else:
            steps.extend(_steps(part, gap, sets))
            gap = 0
    if not steps:
        raise ValueError(f"a pattern without a word: {source!r}")
    return Pattern(source, tuple(steps))


def split(lines: str) -> list[str]:
    """Return the patterns of a block of text."""
    return [" ".join(part.split()) for line in lines.splitlines() for part in line.split(",") if part.strip()]


def simple(source: str) -> Iterator[str]:
    """Give a pattern as several: a word of two parts ("head-butt") stands alone, and joined ("headbutt")."""
    parts = [_choices(part) for part in source.split()]
    return (" ".join(chosen) for chosen in product(*parts))


def _choices(part: str) -> list[str]:
    choices = part.split("/")
    plural = [other for one, two, other in _PLURAL if {one, two} <= {choice.strip("=") for choice in choices}]
    long = [choice for choice in choices if "-" in choice]
    short = [
        choice
        for choice in (*choices, *plural, *(each.replace("-", "") for each in long))
        if choice not in long
    ]
    return ["/".join(short), *long]


def sample(source: str, sets: Sets) -> str:
    """Return words that a pattern has to find: the first of each choice."""
    parts = (part.split("/")[0] for part in source.split() if part not in (*GAPS, START, END))
    chosen = (sets[part[1:-1]][0].split("/")[0] if part[0] == "<" else part for part in parts)
    return " ".join(part.strip("=~*") for part in chosen)


def spellings(source: str, sets: Sets) -> Iterator[str]:
    """Give the words of a pattern that are found misspelled too."""
    for part in source.split():
        for choice in part.split("/"):
            if choice[0] == "<":
                for member in sets[choice[1:-1]]:
                    yield from spellings(member, sets)
            elif choice[0] not in "=^$." and choice[-1] != "*":
                word = plain(choice.removesuffix("~"))
                if len(word) >= MISSPELLED_LETTERS_MIN or choice[-1] == "~":
                    yield word


def _steps(part: str, gap: int, sets: Sets) -> Iterator[Step]:
    """Give the steps of one part; "x-ray" is two."""
    hyphened = part.replace("'", "").split("-")
    for number, piece in enumerate(hyphened):
        keys = frozenset(key for choice in piece.split("/") for key in _keys(choice, sets))
        yield Step(keys, 0 if number else gap)


def _keys(choice: str, sets: Sets) -> Iterator[str]:
    if choice in (START, END):
        yield "=" + choice
    elif choice[0] == "<":
        for member in sets[choice[1:-1]]:
            yield from _keys(member, sets)
    elif choice[0] == "=":
        yield "=" + plain(choice)
    elif choice[-1] == "*":
        yield plain(choice) + "*"
    else:
        yield stem(plain(choice.removesuffix("~")))


# A pattern's number, its rarest step, and another step that must be there with it: see `_witness`.
_Entry = tuple[int, int, frozenset[str], int]


class Book:
    """All patterns of some lists, made ready for looking many of them up at once."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        self._patterns = tuple(patterns)
        self.keys = frozenset(key for one in self._patterns for step in one.steps for key in step.keys)
        self._by_rarest = _by_rarest_key(self._patterns)

    def matches(
        self, keys: Sequence[Sequence[str]], words: Sequence[Word], *, clauses: bool = False
    ) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Give the number of each pattern that is in a text, with the places of its words.

        `keys` are those of each word. A pattern that may not reach over a comma is looked for in `clauses`.
        """
        bounds = [word.clause if clauses else word.sentence for word in words]
        said = frozenset(key for of_word in keys for key in of_word)
        for place, of_word in enumerate(keys):
            for key in of_word:
                for number, rarest, other, step in self._by_rarest.get(key, ()):
                    if step:
                        if not 0 <= place + step < len(keys) or other.isdisjoint(keys[place + step]):
                            continue
                    elif other and other.isdisjoint(said):
                        continue
                    steps = self._patterns[number].steps
                    for before in _before(steps, rarest, (place,), keys, bounds):
                        for places in _behind(steps, before, keys, bounds):
                            yield number, places


def _by_rarest_key(patterns: Sequence[Pattern]) -> dict[str, list[_Entry]]:
    """Sort patterns by their rarest step: few texts have it, so few patterns are looked at closely."""
    uses = Counter(key for one in patterns for step in one.steps for key in step.keys)
    for key in uses:
        uses[key] += COMMON if len(key.strip("=")) <= SHORT else 0
    found: dict[str, list[_Entry]] = {}
    for number, one in enumerate(patterns):
        by_use = sorted(
            range(len(one.steps)), key=lambda place: max(uses[key] for key in one.steps[place].keys)
        )
        entry = (number, by_use[0], *_witness(one.steps, *by_use))
        for key in one.steps[by_use[0]].keys:
            found.setdefault(key, []).append(entry)
    return found


def _witness(steps: Sequence[Step], rarest: int, *others: int) -> tuple[frozenset[str], int]:
    """Return the keys of another step that rules a pattern out in most texts, and where it must be.

    That is right behind or before the rarest one (1, -1), or anywhere (0).
    """
    if rarest + 1 < len(steps) and steps[rarest + 1].gap == 0:
        return steps[rarest + 1].keys, 1
    if rarest and steps[rarest].gap == 0:
        return steps[rarest - 1].keys, -1
    return (steps[others[0]].keys if others else frozenset(), 0)


def _before(
    steps: Sequence[Step],
    number: int,
    taken: tuple[int, ...],
    keys: Sequence[Sequence[str]],
    bounds: Sequence[int],
) -> Iterator[tuple[int, ...]]:
    """Give every way to find the steps before `number`, whose place is the first of `taken`."""
    if number == 0:
        yield taken
        return
    first = taken[0]
    for place in range(first - 1, max(-1, first - steps[number].gap - 2), -1):
        if bounds[place] != bounds[first]:
            return
        if not steps[number - 1].keys.isdisjoint(keys[place]):
            yield from _before(steps, number - 1, (place, *taken), keys, bounds)


def _behind(
    steps: Sequence[Step], taken: tuple[int, ...], keys: Sequence[Sequence[str]], bounds: Sequence[int]
) -> Iterator[tuple[int, ...]]:
    """Give every way to find the steps behind those already taken."""
    number, last = len(taken), taken[-1]
    if number == len(steps):
        yield taken
        return
    for place in range(last + 1, min(len(keys), last + steps[number].gap + 2)):
        if bounds[place] != bounds[last]:
            return
        if not steps[number].keys.isdisjoint(keys[place]):
            yield from _behind(steps, (*taken, place), keys, bounds)


@cache
def begins(keys: frozenset[str]) -> tuple[str, ...]:
    """Return the beginnings among keys ("concuss*"), without their star."""
    return tuple(key[:-1] for key in keys if key[-1] == "*")
