"""The labelled notes: what a coach might say, and what a good answer to it must be. Pure, from their text."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.categories import Category
from core.errors import BadInput
from core.prompt import sport_sheet
from core.states import Tone

Text = Annotated[str, Field(min_length=1)]

_TERM_LINE = re.compile(r"^- \*\*(?P<names>.+?)\*\*: (?P<gloss>.+)$", re.MULTILINE)


class Case(BaseModel):
    """One labelled note: a line of the file."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", str_strip_whitespace=True)

    id: Text
    sport: Text
    tone: Tone
    first_name: Text
    last_name: Text | None = None
    age_group: Text | None = None
    team: Text | None = None
    position: Text | None = None
    title: Text
    description: Text
    category: Category  # the one that a careful reader would choose
    # Those of the sheet's terms that the note says in the sport's sense. The sheet lists what is new to many
    # parents; in its everyday sense (five strides between hurdles) a word is no term.
    terms: tuple[Text, ...] = ()
    other_names: tuple[Text, ...] = ()  # of people in the note who are not the child
    single_point: bool = False  # one fact only, or of home and school only: one sentence is enough

    @property
    def note(self) -> str:
        """All that the coach said."""
        return f"{self.title}. {self.description}"

    @model_validator(mode="after")
    def _agrees_with_its_sheet_and_note(self) -> "Case":
        """Refuse a label that no answer could be held against."""
        try:
            known = glossary(self.sport)
        except BadInput as error:
            raise ValueError(f"{error}; add the sheet, or take the line out") from None
        for term in self.terms:
            if term not in known:
                raise ValueError(f"{term!r} is no term of the sheet of {self.sport}")
            if not term_pattern(term).search(self.note):
                raise ValueError(f"the term {term!r} is not in the note")
        for name in self.other_names:
            if name not in self.note or name in {self.first_name, self.last_name}:
                raise ValueError(f"{name!r} must be another person's name, spelled as in the note")
        return self


def parse_cases(lines: Iterable[str], source: str) -> tuple[Case, ...]:
    """Read one case a line. Raises BadInput that names each wrong line of `source`, and what is wrong."""
    cases: dict[str, Case] = {}
    wrong: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            case = Case.model_validate_json(line)
        except ValidationError as error:
            wrong.append(f"{source} line {number}: {'; '.join(_complaints(error))}")
            continue
        if case.id in cases:
            wrong.append(f"{source} line {number}: the id {case.id!r} is taken; give it another")
        cases[case.id] = case
    if wrong:
        raise BadInput("\n".join([*wrong, "Correct these lines, then run it again; no call was made."]))
    if not cases:
        raise BadInput(f"{source} has no labelled note; no call was made.")
    return tuple(cases.values())


@cache
def glossary(sport: str) -> dict[str, str]:
    """Map each term of a sport's sheet to its gloss; names that share one have it each."""
    terms = sport_sheet(sport).partition("\n## Terms\n")[2].partition("\n## ")[0]
    return {
        name.strip(): found["gloss"]
        for found in _TERM_LINE.finditer(terms)
        for name in re.split(r"[,()]", found["names"])
        if name.strip()
    }


@cache
def term_pattern(term: str) -> re.Pattern[str]:
    """Find a term in any case, with a hyphen or a space inside, and as a plural or a verb.

    "D" or "45" is found only as it stands.
    """
    if len(term) <= 2:
        return re.compile(rf"\b{re.escape(term)}\b")
    words = (rf"{re.escape(word)}(?:l?ed|l?ing|e?s)?" for word in re.split(r"[ -]", term))
    return re.compile(rf"\b{'[ -]'.join(words)}\b", re.IGNORECASE)


def _complaints(error: ValidationError) -> Iterator[str]:
    details: list[Any] = error.errors(include_input=False, include_url=False)
    for detail in details:
        place = ".".join(str(part) for part in detail["loc"])
        message = detail["msg"].removeprefix("Value error, ")
        yield f"{place}: {message}" if place else message
