"""What coaches say: notes put together from the texts in `material/`, one sport at a time."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

MATERIAL = Path(__file__).parent / "material"

_PRONOUNS = {
    "he": {"he": "he", "him": "him", "his": "his", "himself": "himself", "He": "He"},
    "she": {"he": "she", "him": "her", "his": "her", "himself": "herself", "He": "She"},
}
_DAYS = ("tonight", "this evening", "on Tuesday", "on Thursday")
_TIMES = {"two": "twice", "three": "three times"}
_FEWER, _MORE = ("two", "three"), ("four", "five", "six")
_FILLER_SHARE = 0.75  # of the notes whose gist has fillers
_NEXT = ("on Thursday", "at the next session", "at the weekend", "before the next one")


@dataclass(frozen=True, slots=True)
class Gist:
    """One kind of note, as the upstream extractor would have filed it."""

    code: str
    category: str
    copies: int
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """One spoken note about one player."""

    title: str
    text: str
    gist: Gist


def known_sports() -> tuple[str, ...]:
    """Return the sports that notes can be written for: those with a file."""
    return tuple(sorted(path.stem for path in (MATERIAL / "sports").glob("*.toml")))


@cache
def read(name: str) -> dict[str, Any]:
    """Return one file of the material, for example `people` or `sports/soccer`."""
    return tomllib.loads((MATERIAL / f"{name}.toml").read_text(encoding="utf-8"))


def plays(pronoun: str, sport: str) -> bool:
    """Whether this sport is played by those: camogie by girls, hurling by boys, all others by both."""
    return read(f"sports/{sport}").get("pronoun") in (None, pronoun)


class NoteWriter:
    """Deals the gists of one sport like a deck of cards, so that every one of them turns up."""

    def __init__(self, sport: str, rng: Random) -> None:
        common, own = read("common"), read(f"sports/{sport}")
        self._rng = rng
        self._gists = [Gist(**gist) for gist in common["gists"]]
        self._notes: dict[str, dict[str, list[str]]] = {**common["notes"], **own["notes"]}
        self._fillers = [
            kind for kind in common["fillers"] if own["place"] in kind.get("places", (own["place"],))
        ]
        self._words: dict[str, list[str]] = {key: own[key] for key in ("drills", "skills", "opponents")}
        self._mates: list[list[str]] = [mate for mate in read("people")["mates"] if plays(mate[1], sport)]
        self._deck: list[Gist] = []
        self._decks: dict[str, list[int]] = {}

    def write(self, first_name: str, pronoun: str) -> Note:
        """Return the next note, about the player of this name."""
        gist = self._next_gist()
        notes = self._notes[gist.code]
        which = self._deal(gist.code, len(notes["texts"]))  # a title and its text share a place
        slots = self._slots(first_name, pronoun)
        title = _capital(notes["titles"][which].format_map(slots))
        text = _capital(notes["texts"][which].format_map(slots))
        return Note(title, self._with_filler(text, gist), gist)

    def _with_filler(self, text: str, gist: Gist) -> str:
        """Return a text as somebody says it: often with a filler that fits its gist, never with two."""
        fitting = [(n, kind) for n, kind in enumerate(self._fillers) if gist.code in kind["gists"]]
        if not fitting or self._rng.random() >= _FILLER_SHARE:
            return text
        (number, kind), *_ = self._rng.choices(fitting, [len(kind["texts"]) for _, kind in fitting])
        filler = kind["texts"][self._deal(f"filler {number}", len(kind["texts"]))]
        return f"{filler} {text}" if kind.get("before") else f"{text} {filler}"

    def _next_gist(self) -> Gist:
        if not self._deck:
            self._deck = [gist for gist in self._gists for _ in range(gist.copies)]
            self._rng.shuffle(self._deck)
        return self._deck.pop()

    def _deal(self, name: str, size: int) -> int:
        """Return the next number below `size`; none comes again before all the others have come."""
        deck = self._decks.get(name)
        if not deck:
            deck = self._decks[name] = list(range(size))
            self._rng.shuffle(deck)
        return deck.pop()

    def _slots(self, first_name: str, pronoun: str) -> dict[str, Any]:
        """Return what the braces in the material stand for; `n` is always less than `m`."""
        choice, number = self._rng.choice, self._rng.randrange
        rating, day, skill = number(2, 5), choice(_DAYS), choice(self._words["skills"])
        mate, mate_pronoun = choice(self._mates)
        fewer, more = choice(_FEWER), choice(_MORE)
        return {
            **_PRONOUNS[pronoun],
            "name": first_name,
            "mate": mate,
            "him2": _PRONOUNS[mate_pronoun]["him"],
            "drill": choice(self._words["drills"]),
            "opponent": choice(self._words["opponents"]),
            "skill": skill,
            "rating": rating,
            "was": rating - 1,
            "n": fewer,
            "N": _capital(fewer),
            "times": _TIMES[fewer],
            "Times": _capital(_TIMES[fewer]),
            "m": more,
            "M": _capital(more),
            "minute": number(12, 40),
            "day": day,
            "Day": _capital(day),
            "next": choice(_NEXT),
        }


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
