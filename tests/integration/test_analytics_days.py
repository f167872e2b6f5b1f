"""Days of an organisation: whatever its clocks do, single days add up to their range, to the last digit."""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.local_days import day_starts
from database.engine import connect
from models import tables
from tasks.analytics import org_usage
from tests.integration.random_ledger import first_attempts_of, local_day, money, random_call, restated
from tests.integration.rolled_up import rolled_up
from tests.integration.stored_rows import TOKENS, Rows

ADDED_UP = (*TOKENS, "total_input_tokens", "calls", "attempts", "total_cost_usd", "saved_usd")
CLOCK_CHANGES = [
    ("Europe/Dublin", date(2026, 3, 29)),
    ("Europe/Dublin", date(2026, 10, 25)),
    ("Pacific/Auckland", date(2026, 4, 5)),
    ("Pacific/Auckland", date(2026, 9, 27)),
    ("America/St_Johns", date(2026, 3, 8)),
    ("America/St_Johns", date(2026, 11, 1)),
    ("Asia/Kolkata", date(2026, 10, 7)),  # no change of clocks; the day on which prices of Sonnet 5.5 changed
]


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    engine = connect(database_url)
    yield Rows(engine)
    engine.dispose()


def added_up(usage: dict[str, Any]) -> dict[str, Any]:
    return {name: Decimal(usage[name]) for name in ADDED_UP}


@pytest.mark.parametrize(("zone_name", "change"), CLOCK_CHANGES)
def test_single_days_add_up_to_their_range_and_equal_the_rows_one_by_one(
    rows: Rows, zone_name: str, change: date
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice, zone = random.Random(seed), ZoneInfo(zone_name)
    rows.club(timezone=zone_name)
    rows.club("other", timezone=zone_name)
    begins = datetime.combine(change - timedelta(days=4), datetime.min.time(), UTC)
    ledger = [row for n in range(300) for row in random_call(dice, n, begins, 9 * 86_400)]
    rows.insert(tables.AiUsageLog, *ledger)
    rows.attempt("other", attempt_id="not ours", occurred_at=begins + timedelta(days=4))
    firsts = first_attempts_of(ledger)
    from_day, to_day = change - timedelta(days=2), change + timedelta(days=3)

    whole = org_usage(rows.engine, "club", from_day, to_day)
    days = [from_day + timedelta(days=n) for n in range(5)]
    single = [org_usage(rows.engine, "club", day, day + timedelta(days=1)) for day in days]

    for day, used in zip(days, single, strict=True):
        assert added_up(used) == restated((row for row in ledger if local_day(row, zone) == day), firsts)
    inside = [row for row in ledger if from_day <= local_day(row, zone) < to_day]
    assert added_up(whole) == restated(inside, firsts)
    assert added_up(whole) == {name: sum(added_up(used)[name] for used in single) for name in ADDED_UP}
    assert [(entry["day"], entry["calls"], entry["cost_usd"]) for entry in whole["daily"]] == [
        (used["from"], used["calls"], used["total_cost_usd"]) for used in single
    ]
    assert_parts_add_up(whole)
    assert_parts_are_restated(whole, inside)
    marked = sorted({row["occurred_at"].date() for row in ledger})
    for published in (dice.sample(marked, len(marked) // 2), None):
        rolled_up(rows.engine.url.render_as_string(hide_password=False), published)
        assert org_usage(rows.engine, "club", from_day, to_day) == whole
        assert [org_usage(rows.engine, "club", day, day + timedelta(days=1)) for day in days] == single


def assert_parts_add_up(used: dict[str, Any]) -> None:
    for part in ("by_operation", "by_model"):
        for name in (*TOKENS, "total_input_tokens", "calls", "attempts"):
            assert sum(entry[name] for entry in used[part]) == used[name]
        assert sum(Decimal(entry["cost_usd"]) for entry in used[part]) == Decimal(used["total_cost_usd"])


def assert_parts_are_restated(used: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    for name, key in (("top_coaches", "coach_id"), ("top_players", "player_id"), ("by_model", "model")):
        spent: defaultdict[str, Decimal] = defaultdict(Decimal)
        for row in rows:
            spent[row[key]] += money(row)
        expected = sorted(spent.items(), key=lambda item: (-item[1], item[0]))[:5]
        assert [(entry[key], Decimal(entry["cost_usd"])) for entry in used[name]] == expected
    rates = [row["cache_hit_rate"] for row in rows if row["cache_hit_rate"] is not None]
    assert used["average_cache_hit_rate"] == pytest.approx(float(sum(rates) / len(rates)), abs=1e-6)
    read, total = used["cache_read_tokens"], used["total_input_tokens"]
    assert used["cache_hit_rate"] == pytest.approx(read / total, abs=1e-6)


@pytest.mark.parametrize(
    ("zone_name", "day", "hours"),
    [
        ("Europe/Dublin", date(2026, 3, 29), 23),
        ("Europe/Dublin", date(2026, 10, 25), 25),
        ("Pacific/Auckland", date(2026, 4, 5), 25),
        ("Pacific/Auckland", date(2026, 9, 27), 23),
        ("America/St_Johns", date(2026, 3, 8), 23),
        ("America/St_Johns", date(2026, 11, 1), 25),
        ("Asia/Kolkata", date(2026, 10, 25), 24),
        ("Pacific/Apia", date(2011, 12, 30), 0),  # skipped when the date line moved
    ],
)
def test_a_day_is_as_long_as_its_clocks_say(zone_name: str, day: date, hours: int) -> None:
    start, end = day_starts(day, day + timedelta(days=1), ZoneInfo(zone_name))
    assert end - start == timedelta(hours=hours)


def test_the_first_instant_of_a_day_is_in_and_that_of_the_next_is_not(rows: Rows) -> None:
    rows.club(timezone="Europe/Dublin")
    start, end = datetime(2026, 10, 24, 23, tzinfo=UTC), datetime(2026, 10, 26, tzinfo=UTC)
    tick = timedelta(microseconds=1)
    for moment in (start - tick, start, end - tick, end):
        rows.attempt(occurred_at=moment)
    usage = org_usage(rows.engine, "club", date(2026, 10, 24), date(2026, 10, 27))
    assert [(entry["day"], entry["calls"]) for entry in usage["daily"]] == [
        ("2026-10-24", 1),
        ("2026-10-25", 2),
        ("2026-10-26", 1),
    ]
