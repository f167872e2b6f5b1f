"""Days as people read them: where a local day begins, whatever its clocks do."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.errors import BadInput, NotReady


class Stretch(NamedTuple):
    """The part of a UTC day that lies in one local day of a time zone: from `begins_at` up to `ends_at`."""

    time_zone: str
    utc_day: date
    local_day: date
    begins_at: datetime
    ends_at: datetime


def zone_named(name: str, organization_id: str) -> ZoneInfo:
    """Return a club's time zone. Raises NotReady when this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise NotReady(
            f"This machine does not know the time zone {name!r} of {organization_id}: "
            "correct it in organizations.jsonl and ingest again, or install the package tzdata."
        ) from error


def day_starts(from_day: date, to_day: date, zone: ZoneInfo) -> list[datetime]:
    """Return the instants at which local days begin, from the first up to and including `to_day`'s.

    Days so cut have no gap and no overlap whatever the clocks do. A day whose midnight is skipped begins at
    the jump; one whose midnight comes twice, at the first.
    """
    days = [from_day + timedelta(days=n) for n in range((to_day - from_day).days + 1)]
    try:
        return [datetime.combine(day, time(), zone).astimezone(UTC) for day in days]
    except OverflowError:
        raise BadInput(f"{from_day} to {to_day} reaches the end of the calendar.") from None


def utc_midnight(day: date) -> datetime:
    """Return the instant at which a UTC day begins."""
    return datetime.combine(day, time(), UTC)


def stretches(utc_days: Iterable[date], zones: Iterable[ZoneInfo]) -> Iterator[Stretch]:
    """Cut UTC days where local days begin: the stretches of a zone fill its days without gap or overlap."""
    wanted = list(zones)
    for utc_day in utc_days:
        begins, ends = utc_midnight(utc_day), utc_midnight(utc_day + timedelta(days=1))
        for zone in wanted:
            first = utc_day - timedelta(days=1)
            starts = day_starts(first, first + timedelta(days=3), zone)
            for number, (start, end) in enumerate(pairwise(starts)):
                if max(start, begins) < min(end, ends):
                    local_day = first + timedelta(days=number)
                    yield Stretch(zone.key, utc_day, local_day, max(start, begins), min(end, ends))
