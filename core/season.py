"""What a line of a season file may say, and the one reason for which a line is turned away.

A season is a folder of JSON Lines files. `read_line` judges one line by itself; what can only be judged
beside other lines or the database (`unknown_reference`, `other_organization`, `duplicate_id`) is the store's
part. A line has one reason: of all that hold, the one that `Reason` declares first.

An optional field that is null counts as absent. Only known fields are judged: what an unknown one holds is
ignored with it. Depth is bounded by Python's recursion limit (deeper is `not_json`).
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from core.identity import person_key
from core.season_fields import (
    AGE_GROUPS,
    DESCRIPTION_LENGTH_MAX,
    PREFERRED_LEVEL_MAX,
    TITLE_LENGTH_MAX,
    Check,
    Reason,
    Rules,
    Value,
    any_text,
    count,
    flag,
    identifier,
    instant,
    iso_date,
    optional_id,
    some_text,
    sport,
    text,
    time_zone,
    user_id,
    word,
)
from core.states import GuardianStatus, Tone

# In the line itself a carriage return is white space; one inside a string is not JSON.
_RAW_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_RANK = {reason: rank for rank, reason in enumerate(Reason)}


@dataclass(frozen=True, slots=True)
class Field:
    """One row of the format's table."""

    name: str
    check: Check
    required: bool = False
    default: Value = None  # of an optional field that is absent or null


@dataclass(frozen=True, slots=True)
class Schema:
    """One file of a season, and how the values of its lines are called where they are stored."""

    file: str
    fields: tuple[Field, ...]
    columns: tuple[str, ...]
    names: frozenset[str]
    derive: Callable[[Sequence[Value]], tuple[Value, ...]]  # columns that follow from the fields

    @property
    def kind(self) -> str:
        """The word for what the file holds, as the report has it."""
        return self.file.removesuffix(".jsonl")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A line that is good by itself: its values in the order of the schema's columns."""

    values: tuple[Value, ...]
    unknown_fields: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is turned away."""

    reason: Reason
    is_object: bool  # False when no JSON object could be read from it at all
    unknown_fields: int = 0


def read_line(schema: Schema, raw: bytes, rules: Rules) -> Accepted | Rejected:
    """Judge one line (without its line end, never blank) by itself."""
    members = _parse(raw)
    if isinstance(members, Reason):
        return Rejected(members, is_object=False)
    found: list[Value] = []
    faults: list[Reason] = []
    for field in schema.fields:
        value = _value(field, members, rules)
        if isinstance(value, Reason):
            faults.append(value)
        else:
            found.append(value)
    if type(members) is _Repeating and not members.repeated.isdisjoint(schema.names):
        faults.append(Reason.BAD_VALUE)
    unknown_fields = len(members.keys() - schema.names)
    if faults:
        return Rejected(min(faults, key=_RANK.__getitem__), True, unknown_fields)
    return Accepted((*found, *schema.derive(found)), unknown_fields)


def _value(field: Field, members: Mapping[str, Any], rules: Rules) -> Value | Reason:
    value = members.get(field.name)
    if value is not None:
        return field.check(value, rules)
    if not field.required:
        return field.default
    return Reason.WRONG_TYPE if field.name in members else Reason.MISSING_FIELD


class _Repeating(dict[str, Any]):
    """A JSON object that has a name twice: which of the two is meant, nobody knows."""

    repeated: frozenset[str]


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    repeating = _Repeating(members)
    times = Counter(name for name, _ in pairs)
    repeating.repeated = frozenset(name for name in times if times[name] > 1)
    return repeating


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_no_constant)


def _parse(raw: bytes) -> dict[str, Any] | Reason:
    try:
        line = raw.decode("utf-8")
    except UnicodeDecodeError:
        return Reason.NOT_JSON
    try:
        value = _DECODER.decode(line)
    except (ValueError, RecursionError):  # RecursionError: nested deeper than anything a season says
        return Reason.CONTROL_CHARACTER if _RAW_CONTROL.search(line) else Reason.NOT_JSON
    return value if isinstance(value, dict) else Reason.NOT_AN_OBJECT


def _schema(file: str, *fields: Field) -> Schema:
    columns = tuple(field.name for field in fields)
    return Schema(file, fields, columns, frozenset(columns), lambda _: ())


def _coach_key(fields: Sequence[Value]) -> tuple[Value, ...]:
    auth, user = fields[:2]
    return (person_key(str(user) if user else None, str(auth)),)


ORGANIZATIONS = _schema(
    "organizations.jsonl",
    Field("id", identifier, required=True),
    Field("name", some_text, required=True),
    Field("timezone", time_zone, default="UTC"),
)
_COACH_FIELDS = (
    Field("id", identifier, required=True),
    Field("user_id", user_id),
    Field("organization_id", identifier, required=True),
    Field("name", some_text, required=True),
    Field("tone", word(*Tone), default=Tone.WARM.value),
    Field("summaries_enabled", flag, default=True),
    Field("skip_sensitive", flag, default=False),
    Field("approvals", count(), default=0),
    Field("suppressions", count(), default=0),
    Field("preferred_level", count(PREFERRED_LEVEL_MAX)),
)
COACHES = Schema(
    "coaches.jsonl",
    _COACH_FIELDS,
    # What the file calls `id` is the auth system's; our `id` is the key of the person.
    columns=("auth_id", *(field.name for field in _COACH_FIELDS[1:]), "id"),
    names=frozenset(field.name for field in _COACH_FIELDS),
    derive=_coach_key,
)
PLAYERS = _schema(
    "players.jsonl",
    Field("id", identifier, required=True),
    Field("organization_id", identifier, required=True),
    Field("first_name", some_text, required=True),
    Field("last_name", any_text),
    Field("date_of_birth", iso_date),
    Field("age_group", word(*AGE_GROUPS)),
    Field("sport", sport, required=True),
    Field("team", any_text),
    Field("position", any_text),
)
GUARDIANS = _schema(
    "guardians.jsonl",
    Field("id", identifier, required=True),
    Field("player_id", identifier, required=True),
    Field("name", any_text),
    Field("email", any_text),
    Field("status", word(*GuardianStatus), default=GuardianStatus.PENDING.value),
    Field("consented", flag, default=False),
    Field("parental_responsibility", flag, default=False),
)
INSIGHTS = _schema(
    "insights.jsonl",
    Field("id", identifier, required=True),
    Field("organization_id", identifier, required=True),
    Field("coach_id", identifier, required=True),
    Field("player_id", identifier, required=True),
    Field("voice_note_id", optional_id),
    Field("title", text(TITLE_LENGTH_MAX, shortest=1), required=True),
    Field("description", text(DESCRIPTION_LENGTH_MAX, shortest=1), required=True),
    Field("category", any_text),
    Field("sport", sport),
    Field("urgent", flag, default=False),
    Field("created_at", instant, required=True),
)
SEASON = (ORGANIZATIONS, COACHES, PLAYERS, GUARDIANS, INSIGHTS)  # nobody names what comes later
