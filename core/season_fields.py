"""What one field of a season file may hold: checks from a JSON value to a stored value, or a reason.

Every check gives back the value as it is stored, or the `Reason` for which the line is turned away.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

ID_LENGTH_MAX = 128  # characters, as all lengths here
TITLE_LENGTH_MAX = 500
DESCRIPTION_LENGTH_MAX = 8_000
TEXT_LENGTH_MAX = 500  # names, teams, words: whatever the format sets no length for
COUNT_MAX = 2**31 - 1  # what the store's integer holds
PREFERRED_LEVEL_MAX = 3
AGE_GROUPS = (*(f"u{age}" for age in range(6, 19)), "senior")
_YEARS = range(2, 9999)  # an instant in one of these can be shown in any time zone

# Unicode's control characters (C0, DEL and C1) but newline and tab, and what has no UTF-8 form.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NOT_STORED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Reason(StrEnum):
    """Why a line was turned away, in the order in which they count."""

    NOT_JSON = "not_json"  # not UTF-8, or not one JSON value (NaN and Infinity are none)
    NOT_AN_OBJECT = "not_an_object"  # JSON, but not `{...}`
    MISSING_FIELD = "missing_field"  # a required field is not there
    WRONG_TYPE = "wrong_type"  # another JSON type; null for a required field; 1.0 or true for a number
    CONTROL_CHARACTER = "control_character"  # one but newline and tab: in a field, or raw in a broken line
    TOO_LONG = "too_long"  # more characters than the field may have
    BAD_VALUE = "bad_value"  # the right type, but not one of the values; or the field is there twice
    UNKNOWN_REFERENCE = "unknown_reference"  # names a row that is not there, or was itself turned away
    OTHER_ORGANIZATION = "other_organization"  # names a row of another organisation
    DUPLICATE_ID = "duplicate_id"  # the id is taken, with other content


Value = str | int | date | datetime | None  # bool is an int


@dataclass(frozen=True, slots=True)
class Rules:
    """What a value may be that only the rest of the house knows."""

    sports: Collection[str]  # codes that have a sheet
    time_zones: Collection[str]  # IANA names


Check = Callable[[Any, Rules], Value | Reason]


def text(longest: int, shortest: int = 0) -> Check:
    """Text of so many characters that the store can hold; a lone surrogate is a bad value."""

    def check(value: Any, _: Rules) -> Value | Reason:
        if type(value) is not str:
            return Reason.WRONG_TYPE
        if _NOT_STORED.search(value):
            return Reason.CONTROL_CHARACTER if _CONTROL.search(value) else Reason.BAD_VALUE
        if len(value) > longest:
            return Reason.TOO_LONG
        return value if len(value) >= shortest else Reason.BAD_VALUE

    return check


def one_of(allowed: Callable[[Rules], Collection[str]]) -> Check:
    """One of the texts that the rules allow."""

    def check(value: Any, rules: Rules) -> Value | Reason:
        found = any_text(value, rules)
        return found if isinstance(found, Reason) or found in allowed(rules) else Reason.BAD_VALUE

    return check


def word(*words: str) -> Check:
    """One of a closed list of words, written exactly so."""
    return one_of(lambda _: words)


def user_id(value: Any, rules: Rules) -> Value | Reason:
    """The auth system's `user_id`; an empty one is not set, as `core.identity.person_key` reads it."""
    return optional_id(value, rules) or None


def flag(value: Any, _: Rules) -> Value | Reason:
    """True or false, never 0 or "no"."""
    return value if type(value) is bool else Reason.WRONG_TYPE


def count(highest: int = COUNT_MAX) -> Check:
    """A whole number from 0 to `highest`, written without a fraction."""

    def check(value: Any, _: Rules) -> Value | Reason:
        if type(value) is not int:
            return Reason.WRONG_TYPE
        return value if 0 <= value <= highest else Reason.BAD_VALUE

    return check


def iso_date(value: Any, rules: Rules) -> Value | Reason:
    """A day of the calendar as `YYYY-MM-DD`; ISO 8601's other spellings are bad values."""
    found = any_text(value, rules)
    if not isinstance(found, str) or isinstance(found, Reason):
        return found
    try:
        return date.fromisoformat(found) if _ISO_DATE.fullmatch(found) else Reason.BAD_VALUE
    except ValueError:
        return Reason.BAD_VALUE


def instant(value: Any, rules: Rules) -> Value | Reason:
    """A time with its offset as RFC 3339 writes it, to the microsecond, in UTC.

    A leap second (`:60`) is a bad value: neither Python nor the store has one.
    """
    found = any_text(value, rules)
    if not isinstance(found, str) or isinstance(found, Reason):
        return found
    if not _RFC_3339.fullmatch(found):
        return Reason.BAD_VALUE
    try:
        moment = datetime.fromisoformat(found.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # the 30th of February; before the year 1
        return Reason.BAD_VALUE
    return moment if moment.year in _YEARS else Reason.BAD_VALUE


any_text = text(TEXT_LENGTH_MAX)
some_text = text(TEXT_LENGTH_MAX, shortest=1)
identifier = text(ID_LENGTH_MAX, shortest=1)
optional_id = text(ID_LENGTH_MAX)
sport = one_of(lambda rules: rules.sports)
time_zone = one_of(lambda rules: rules.time_zones)
