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
_FEWER, _MORE = ("two", "three"), ("four", "five", "six")
_ASIDE_COUNTS = (0, 0, 0, 1, 1, 2)
_NEXT = ("on Thursday", "before the match", "at the next session", "at the weekend")


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


class NoteWriter:
    """Deals the gists of one sport like a deck of cards, so that every one of them turns up."""

    def __init__(self, sport: str, rng: Random) -> None:
        common, own = read("common"), read(f"sports/{sport}")
        self._rng = rng
        self._gists = [Gist(**gist) for gist in common["gists"]]
        self._notes: dict[str, dict[str, list[str]]] = {**common["notes"], **own["notes"]}
        self._common: dict[str, list[str]] = {
            key: common[key] for key in ("openers", "naming_openers", "asides", "closers")
        }
        self._words: dict[str, list[str]] = {key: own[key] for key in ("drills", "skills", "opponents")}
        self._mates: list[list[str]] = read("people")["mates"]
        self._deck: list[Gist] = []
        self._text_decks: dict[str, list[int]] = {}

    def write(self, first_name: str, pronoun: str) -> Note:
        """Return the next note, about the player of this name."""
        gist = self._next_gist()
        notes = self._notes[gist.code]
        which = self._next_text(gist)  # a title and a text belong together by their place
        slots = self._slots(first_name, pronoun)
        title = _capital(notes["titles"][which].format_map(slots))
        return Note(title, self._spoken(notes["texts"][which], slots), gist)

    def _spoken(self, text: str, slots: dict[str, Any]) -> str:
        """Return a text as somebody says it: with a start, an aside or two, and an end."""
        choice = self._rng.choice
        opener = choice(self._common["openers" if "{name}" in text else "naming_openers"]).format_map(slots)
        asides = self._rng.sample(self._common["asides"], choice(_ASIDE_COUNTS))
        passing = "".join(f" {_capital(aside.format_map(slots))}" for aside in asides)
        return opener + _capital(text.format_map(slots)) + passing + choice(self._common["closers"])

    def _next_gist(self) -> Gist:
        if not self._deck:
            self._deck = [gist for gist in self._gists for _ in range(gist.copies)]
            self._rng.shuffle(self._deck)
        return self._deck.pop()

    def _next_text(self, gist: Gist) -> int:
        deck = self._text_decks.get(gist.code)
        if not deck:
            deck = self._text_decks[gist.code] = list(range(len(self._notes[gist.code]["texts"])))
            self._rng.shuffle(deck)
        return deck.pop()

    def _slots(self, first_name: str, pronoun: str) -> dict[str, Any]:
        """Return what the braces in the material stand for; `n` is always less than `m`."""
        choice, number = self._rng.choice, self._rng.randrange
        rating, day, skill = number(3, 6), choice(_DAYS), choice(self._words["skills"])
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
            "m": more,
            "M": _capital(more),
            "minute": number(12, 40),
            "day": day,
            "Day": _capital(day),
            "next": choice(_NEXT),
        }


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
