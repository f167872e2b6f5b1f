"""One answer of the model: its shape, and the only way from its text to a value."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json, to_json

from core.categories import Category
from core.errors import Rejected
from core.states import Flag

REASON_CHARS_MAX = 500
SUMMARY_CHARS_MAX = 2_000

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # every control character but tab and newline

_NOT_STORED = re.compile(f"{_CONTROL.pattern[:-1]}\ud800-\udfff]")  # a half of a letter has no UTF-8


class UnusableAnswer(Rejected):
    """An answer that is not JSON or is off the schema.

    The message is one fixed word (`not_json`, `off_schema`, in a pack also `missing` and `id_twice`), and
    never the text: texts about children must not reach logs by way of an error.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _without_controls(text: str) -> str:
    """Refuse control characters: PostgreSQL cannot store NUL, and no parent can read the others."""
    if _CONTROL.search(text):
        raise ValueError("control character")
    return text


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("blank")
    return text


def _each_once(flags: tuple[Flag, ...]) -> tuple[Flag, ...]:
    return tuple(dict.fromkeys(flags))


Share = Annotated[float, Field(ge=0, le=1)]  # strict mode takes the JSON integers 0 and 1, never true or "1"


class Answer(BaseModel):
    """What the model says about one insight. Property order is the order the model writes in."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    category: Category
    category_confidence: Share
    reason: Annotated[str, Field(max_length=REASON_CHARS_MAX), AfterValidator(_without_controls)]
    summary: Annotated[
        str,
        Field(min_length=1, max_length=SUMMARY_CHARS_MAX),
        AfterValidator(_without_controls),
        AfterValidator(_not_blank),
    ]
    confidence: Share
    flags: Annotated[tuple[Flag, ...], AfterValidator(_each_once)]


def fit_for_parents(text: str) -> bool:
    """Say whether a text, a coach's for one, can be stored and read as a summary."""
    return bool(text.strip()) and len(text) <= SUMMARY_CHARS_MAX and not _NOT_STORED.search(text)


def parse_answer(text: str) -> Answer:
    """Return the answer in `text`. Raises UnusableAnswer, whose message never quotes the text."""
    try:
        return Answer.model_validate_json(text)
    except ValidationError as error:
        kinds = {detail["type"] for detail in error.errors(include_input=False, include_url=False)}
    # Raised outside the handler: a chained ValidationError would carry the text into a traceback.
    raise UnusableAnswer("not_json" if "json_invalid" in kinds else "off_schema")


def parse_pack(text: str, ids: Sequence[str]) -> dict[str, Answer | UnusableAnswer]:
    """Return for each id its own answer, or why it has none; what bears any other id is never used.

    A pack that is no JSON, or has no list of answers, makes all of them unusable.
    """
    try:
        whole = from_json(text)
    except ValueError:
        return {one: UnusableAnswer("not_json") for one in ids}
    items = whole.get("answers") if isinstance(whole, dict) and whole.keys() == {"answers"} else None
    if not isinstance(items, list):
        return {one: UnusableAnswer("off_schema") for one in ids}
    parts = [dict(item) for item in items if isinstance(item, dict) and isinstance(item.get("id"), str)]
    times = Counter(part["id"] for part in parts)
    answers = {part.pop("id"): part for part in parts}
    return {one: _part(answers.get(one), times[one]) for one in ids}


def _part(answer: dict[str, object] | None, times: int) -> Answer | UnusableAnswer:
    if answer is None:
        return UnusableAnswer("missing")
    if times > 1:
        return UnusableAnswer("id_twice")
    try:
        return parse_answer(to_json(answer).decode())
    except UnusableAnswer as unusable:
        return unusable
