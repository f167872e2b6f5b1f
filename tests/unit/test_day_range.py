"""A range of days and its sources: rollups where nothing is marked, the ledger elsewhere, no gap between."""

import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.day_range import DAYS_MAX, DayRange, sources_of
from core.errors import BadInput
from core.local_days import utc_midnight

DAY = timedelta(days=1)
DUBLIN = ZoneInfo("Europe/Dublin")


def test_utc_days_are_those_of_which_the_range_has_a_part() -> None:
    in_march = DayRange(date(2026, 3, 1), date(2026, 3, 3))
    assert in_march.utc_days == [date(2026, 3, 1), date(2026, 3, 2)]
    kolkata = DayRange(date(2026, 3, 1), date(2026, 3, 2), ZoneInfo("Asia/Kolkata"))
    assert kolkata.utc_days == [date(2026, 2, 28), date(2026, 3, 1)]
    summer = DayRange(date(2026, 7, 1), date(2026, 7, 2), DUBLIN)
    assert summer.utc_days == [date(2026, 6, 30), date(2026, 7, 1)]
    assert DayRange(date(2026, 3, 1), date(2026, 3, 1)).utc_days == []
    skipped = DayRange(date(2011, 12, 30), date(2011, 12, 31), ZoneInfo("Pacific/Apia"))
    assert skipped.utc_days == [], "the date line moved: that day never was"


def test_marked_days_that_follow_each_other_are_one_interval_cut_by_the_range() -> None:
    days = DayRange(date(2026, 7, 1), date(2026, 7, 6), DUBLIN)
    marked = [date(2026, 6, 30), date(2026, 7, 1), date(2026, 7, 3), date(2026, 7, 5), date(2026, 8, 1)]
    sources = sources_of(days, marked)
    assert sources.clean_days == [date(2026, 7, 2), date(2026, 7, 4)]
    assert sources.begins_at == [
        days.starts[0],
        utc_midnight(date(2026, 7, 3)),
        utc_midnight(date(2026, 7, 5)),
    ]
    assert sources.ends_at == [
        utc_midnight(date(2026, 7, 2)),
        utc_midnight(date(2026, 7, 4)),
        days.starts[-1],
    ]
    assert days.starts[0] == datetime(2026, 6, 30, 23, tzinfo=UTC)


def test_every_instant_of_a_range_has_exactly_one_source() -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for _ in range(200):
        zone = ZoneInfo(dice.choice(("UTC", "Europe/Dublin", "Pacific/Auckland", "America/St_Johns")))
        first = date(2026, 3, 1) + dice.randrange(300) * DAY
        days = DayRange(first, first + dice.randrange(12) * DAY, zone)
        marked = {first + n * DAY for n in range(-3, 15) if dice.random() < dice.random()}
        sources = sources_of(days, marked)
        assert sorted({*sources.clean_days, *(marked & set(days.utc_days))}) == days.utc_days
        moment = days.starts[0] - 3 * DAY
        while moment < days.starts[-1] + 3 * DAY:
            read = sum(b <= moment < e for b, e in zip(sources.begins_at, sources.ends_at, strict=True))
            inside = days.starts[0] <= moment < days.starts[-1]
            assert read == (inside and moment.date() in marked)
            moment += timedelta(minutes=30)


def test_the_ends_of_the_calendar_are_told_not_a_crash() -> None:
    last = DayRange(date(9999, 12, 30), date(9999, 12, 31))
    assert sources_of(last, last.utc_days).ends_at == [utc_midnight(date(9999, 12, 31))]
    with pytest.raises(BadInput, match="end of the calendar"):
        _ = DayRange(date(1, 1, 1), date(1, 1, 2), ZoneInfo("Asia/Kolkata")).starts
    with pytest.raises(BadInput, match="ends before it begins"):
        DayRange(date(2026, 3, 2), date(2026, 3, 1))
    with pytest.raises(BadInput, match="too long"):
        DayRange(date(2026, 3, 2), date(2026, 3, 3) + DAYS_MAX * DAY)
