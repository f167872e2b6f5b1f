"""A range of days as somebody reads them, and where its figures come from: rollups, or the ledger itself."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from core.errors import BadInput
from core.local_days import day_starts, utc_midnight

DAYS_MAX = 3660  # ten years: more is a slip of the pen, and a day costs memory
PLATFORM_ZONE = ZoneInfo("UTC")
DAY = timedelta(days=1)


@dataclass(frozen=True)
class DayRange:
    """Local days from `from_day` up to, not including, `to_day`. Raises BadInput when they are no range."""

    from_day: date
    to_day: date
    zone: ZoneInfo = PLATFORM_ZONE

    def __post_init__(self) -> None:
        check_range(self.from_day, self.to_day)

    @cached_property
    def starts(self) -> list[datetime]:
        """The instants at which the days begin, and at which the last one ends."""
        return day_starts(self.from_day, self.to_day, self.zone)

    @cached_property
    def days(self) -> list[date]:
        """Every local day, in order."""
        return [self.from_day + n * DAY for n in range((self.to_day - self.from_day).days)]

    @cached_property
    def utc_days(self) -> list[date]:
        """Every UTC day of which the range has a part, in order."""
        begins, ends = self.starts[0], self.starts[-1]
        if begins >= ends:
            return []
        first, last = begins.date(), (ends - timedelta(microseconds=1)).date()
        return [first + n * DAY for n in range((last - first).days + 1)]


@dataclass(frozen=True, slots=True)
class Sources:
    """Days whose rollups hold, and the intervals to read from the ledger; together they are the range."""

    clean_days: list[date]  # UTC
    begins_at: list[datetime]
    ends_at: list[datetime]


def check_range(from_day: date, to_day: date) -> None:
    """Raise BadInput unless the days are a range of a sensible length."""
    if from_day > to_day:
        raise BadInput(f"The range ends before it begins: it goes from {from_day} up to {to_day}.")
    if (to_day - from_day).days > DAYS_MAX:
        raise BadInput(f"{from_day} to {to_day} is too long; ask for {DAYS_MAX} days at most.")


def sources_of(days: DayRange, dirty: Collection[date]) -> Sources:
    """Say what is read from where: dirty days that follow each other are one interval, cut by the range."""
    marked = set(dirty)
    sources = Sources([], [], [])
    for day in days.utc_days:
        if day not in marked:
            sources.clean_days.append(day)
            continue
        begins = max(utc_midnight(day), days.starts[0])
        if sources.ends_at and sources.ends_at[-1] == begins:
            sources.ends_at.pop()
        else:
            sources.begins_at.append(begins)
        sources.ends_at.append(min(_next_midnight(day), days.starts[-1]))
    return sources


def _next_midnight(day: date) -> datetime:
    """Where a UTC day ends; the calendar's last one, just before its end."""
    return utc_midnight(day + DAY) if day < date.max else datetime.max.replace(tzinfo=UTC)
