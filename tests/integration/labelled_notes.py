"""The labelled notes of `tests/data`: what a coach might say, and whether a person must see it first."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.categories import Category

FILE = Path(__file__).parents[1] / "data" / "labelled_notes.jsonl"


@dataclass(frozen=True)
class LabelledNote:
    """One line of the file; its README says how the labels were decided."""

    id: str
    category: Category
    kind: str
    sport: str
    first_name: str
    last_name: str | None
    roster: tuple[tuple[str, str | None], ...]  # of the other people of the club
    extractor: str | None
    title: str
    description: str
    review: bool
    why: str


@cache
def labelled_notes() -> tuple[LabelledNote, ...]:
    """Return all of them, in the order of the file."""
    return tuple(_note(json.loads(line)) for line in FILE.read_text("utf-8").splitlines())


def _note(line: dict[str, object]) -> LabelledNote:
    people = tuple(_name(str(name)) for name in line["roster"])  # type: ignore[attr-defined]
    changed = {"roster": people, "category": Category(str(line["category"]))}
    return LabelledNote(**{**line, **changed})  # type: ignore[arg-type]


def _name(whole: str) -> tuple[str, str | None]:
    first, _, last = whole.partition(" ")
    return first, last or None
