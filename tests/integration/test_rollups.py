"""Rollups equal the ledger's rows added up one by one, however often and in whatever order."""

import asyncio
import random
from collections import defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from core.errors import NotReady
from models import tables
from tasks.rollups import stage_days
from tests.integration.random_ledger import first_attempts_of, local_day, random_call, restated
from tests.integration.rolled_up import (
    marked_days,
    move,
    published,
    roll_up,
    rolled_up,
    rollup_on,
    url_of,
)
from tests.integration.stored_rows import AT, Rows

ZONES = {
    "club": "Europe/Dublin",
    "kolkata": "Asia/Kolkata",
    "st johns": "America/St_Johns",
    "nz": "Pacific/Auckland",
}
BEGINS = datetime(2026, 3, 26, tzinfo=UTC)  # Dublin's clocks go forward on the 29th
KEYS = {
    "rollup_organization_day": ("organization_id", "local_day", "operation", "model", "lane", "service_tier"),
    "rollup_coach_day": ("organization_id", "coach_id", "local_day"),
    "rollup_player_day": ("organization_id", "player_id", "local_day"),
    "rollup_platform_day": ("operation", "model", "lane", "service_tier"),
}


def random_season(rows: Rows, calls: int = 200) -> list[dict[str, Any]]:
    """Clubs all around the world with calls of six days; gives their ledger rows."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    for club, zone in ZONES.items():
        if club != "club":
            rows.club(club, timezone=zone)
    move(rows, "club", ZONES["club"])
    ledger = []
    for number in range(calls):
        club = dice.choice(list(ZONES))
        for row in random_call(dice, number, BEGINS, 6 * 86_400):
            coach, player = f"{row['coach_id']} of {club}", f"{row['player_id']} of {club}"
            lane = "overnight" if row["service_tier"] == "batch" else "live"
            people = {"organization_id": club, "coach_id": coach, "player_id": player, "lane": lane}
            ledger.append(row | people)
    rows.insert(tables.AiUsageLog, *ledger)
    return ledger


def utc_day(row: dict[str, Any]) -> date:
    day: date = row["occurred_at"].date()
    return day


def added_up(ledger: list[dict[str, Any]], key: tuple[str, ...]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The ledger by UTC day and these keys, row by row."""
    firsts = first_attempts_of(ledger)
    groups: defaultdict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in ledger:
        told = row | {"local_day": local_day(row, ZoneInfo(ZONES[row["organization_id"]]))}
        groups[utc_day(row), *(told[name] for name in key)].append(row)
    return {group: restated(found, firsts) for group, found in groups.items()}


@pytest.mark.parametrize("name", KEYS)
def test_every_rollup_has_the_sums_of_its_rows_to_the_last_digit(rows: Rows, name: str) -> None:
    ledger = random_season(rows)
    rolled_up(url_of(rows))
    expected = added_up(ledger, KEYS[name])
    columns = ", ".join(("utc_day", *KEYS[name]))
    with rows.engine.connect() as connection:
        found = connection.execute(sa.text(f"SELECT * FROM {name} ORDER BY {columns}")).mappings().all()  # noqa: S608
    assert {tuple(row[part] for part in ("utc_day", *KEYS[name])) for row in found} == set(expected)
    for row in found:
        sums = expected[tuple(row[part] for part in ("utc_day", *KEYS[name]))]
        assert {part: row[part] for part in ("calls", "attempts", "input_tokens", "output_tokens")} == {
            part: sums[part] for part in ("calls", "attempts", "input_tokens", "output_tokens")
        }
        assert (row["cost_usd"], row["saved_usd"]) == (sums["total_cost_usd"], sums["saved_usd"])
        inputs = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
        assert sum(row[part] for part in inputs) == sums["total_input_tokens"]


def test_any_number_of_repeats_in_any_order_gives_the_same_rows_as_a_rebuild(rows: Rows) -> None:
    random_season(rows)
    url = url_of(rows)
    days = marked_days(rows.engine)
    random.shuffle(days)
    for day in days:
        rolled_up(url, [day])
    assert marked_days(rows.engine) == []
    once = published(rows.engine)
    rolled_up(url, days[:3] * 2)
    assert published(rows.engine) == once
    with rows.engine.begin() as connection:
        for table in once:
            connection.execute(sa.text(f"TRUNCATE {table}"))
    assert len(rolled_up(url, rebuild=True).days) == len(days)
    assert published(rows.engine) == once


def test_a_rebuild_takes_days_that_nothing_is_left_of(rows: Rows) -> None:
    insight_id = rows.insight(created_at=AT)
    rolled_up(url_of(rows))
    with rows.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM insight WHERE id = :id"), {"id": insight_id})
        connection.execute(sa.text("DELETE FROM rollup_dirty_day"))
    assert rolled_up(url_of(rows), rebuild=True).days == (AT.date(),)
    assert not any(published(rows.engine).values())


def test_calls_are_counted_for_the_checks_in_another_way_that_comes_to_the_same(rows: Rows) -> None:
    async def counted() -> dict[date, int]:
        async with rollup_on(url_of(rows)) as rollup:
            await stage_days.fn(rollup, None)
            async with rollup.engine.connect() as connection:
                asked = sa.text("SELECT utc_day, calls FROM staged_ledger_day")
                return {row.utc_day: row.calls for row in (await connection.execute(asked)).all()}

    expected = {day: sums["calls"] for (day,), sums in added_up(random_season(rows), ()).items()}
    assert asyncio.run(counted()) == expected


def test_a_row_of_a_club_that_nobody_knows_is_staged_not_dropped(rows: Rows) -> None:
    async def staged() -> list[Any]:
        async with rollup_on(url_of(rows)) as rollup:
            await stage_days.fn(rollup, None)
            async with rollup.engine.connect() as connection:
                asked = sa.text(
                    "SELECT organization_id, utc_day, local_day, attempts FROM staged_organization_day"
                )
                return list((await connection.execute(asked)).all())

    rows.attempt("nowhere")
    assert asyncio.run(staged()) == [("nowhere", AT.date(), AT.date(), 1)]


@pytest.mark.parametrize(
    ("wrong", "allowed"),
    [
        ({"cost_usd": Decimal("0.000120000001")}, Decimal("0.00012")),
        ({"cost_usd": Decimal("0")}, Decimal("0.00012")),
        ({"outcome": "refused", "cost_usd": Decimal("0.0001")}, Decimal("0.00012")),
        ({"outcome": "rejected", "cost_usd": Decimal("0.00012")}, Decimal(0)),
        ({"model": "claude-nobody-knows"}, None),
        ({"service_tier": "batch"}, Decimal("0.00006")),
        ({"inference_geo": "the moon"}, None),
    ],
)
def test_a_cost_that_is_not_the_price_lists_is_noticed(
    rows: Rows, wrong: dict[str, Any], allowed: Any
) -> None:
    async def gaps() -> list[Any]:
        async with rollup_on(url_of(rows)) as rollup:
            await stage_days.fn(rollup, None)
            async with rollup.engine.connect() as connection:
                asked = sa.text("SELECT attempt_id, allowed_usd FROM staged_price_gap")
                return list((await connection.execute(asked)).all())

    rows.attempt()
    rows.attempt(outcome="refused", cost_usd=Decimal(0))
    rows.attempt(outcome="adjustment", cost_usd=Decimal("-7"))
    assert asyncio.run(gaps()) == []
    attempt_id = rows.attempt(**wrong)
    assert asyncio.run(gaps()) == [(attempt_id, allowed)]


def test_a_time_zone_that_this_machine_does_not_know_is_told(rows: Rows) -> None:
    rows.attempt()
    move(rows, "club", "Mars/Olympus_Mons")
    with pytest.raises(NotReady, match="Mars/Olympus_Mons"):
        rolled_up(url_of(rows))
    assert marked_days(rows.engine) == [AT.date()]


def test_nothing_is_staged_when_no_day_is_marked(rows: Rows) -> None:
    assert asyncio.run(roll_up(url_of(rows))).days == ()
    with rows.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM rollup_run")).scalar_one() == 0
