"""Rollups equal the ledger's rows added up one by one, however often, in whatever order and by whom."""

import asyncio
import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from core.errors import BooksDisagree, NotReady
from models import tables
from tasks.analytics import org_usage
from tasks.rollups import KILLED_AFTER, STAGED, leave, publish_staged, stage_days
from tests.integration.random_ledger import first_attempts_of, local_day, random_call, restated
from tests.integration.rolled_up import marked_days, published, roll_up, rolled_up, rollup_on
from tests.integration.stored_rows import AT, Rows, ledger_row

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


def move(rows: Rows, club: str, zone: str) -> None:
    with rows.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE organization SET timezone = :zone WHERE id = :club"), {"zone": zone, "club": club}
        )


def url_of(rows: Rows) -> str:
    return rows.engine.url.render_as_string(hide_password=False)


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


def test_late_rows_reopen_their_day_and_the_days_whose_calls_they_open(rows: Rows) -> None:
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    rows.attempt(call_id="retried", occurred_at=midnight + timedelta(hours=1))
    rows.attempt(occurred_at=midnight + timedelta(days=5))
    rolled_up(url_of(rows))
    rows.attempt(call_id="retried", occurred_at=midnight - timedelta(hours=1), outcome="unusable")
    assert marked_days(rows.engine) == [date(2026, 3, 2), date(2026, 3, 3)]
    rolled_up(url_of(rows))
    with rows.engine.connect() as connection:
        asked = sa.text("SELECT utc_day, calls, attempts FROM rollup_platform_day ORDER BY utc_day")
        assert [tuple(row) for row in connection.execute(asked)] == [
            (date(2026, 3, 2), 1, 1),
            (date(2026, 3, 3), 0, 1),
            (date(2026, 3, 8), 1, 1),
        ]


@pytest.mark.parametrize(
    "change", ["occurred_at = '2026-03-09T12:00Z'", "call_id = 'another'", "organization_id = 'other'"]
)
def test_an_attempt_that_leaves_its_call_reopens_the_days_of_the_others(rows: Rows, change: str) -> None:
    rows.club("other")
    first = rows.attempt(call_id="retried", occurred_at=AT, outcome="unusable")
    rows.attempt(call_id="retried", occurred_at=AT + timedelta(days=2))
    rolled_up(url_of(rows))
    with rows.engine.begin() as connection:
        statement = f"UPDATE ai_usage_log SET {change} WHERE attempt_id = :id"  # noqa: S608
        connection.execute(sa.text(statement), {"id": first})
    assert (AT + timedelta(days=2)).date() in marked_days(rows.engine)
    rolled_up(url_of(rows))
    assert_calls_equal_the_ledgers(rows)


def assert_calls_equal_the_ledgers(rows: Rows) -> None:
    with rows.engine.connect() as connection:
        counted = connection.execute(sa.text("SELECT sum(calls) FROM rollup_platform_day")).scalar_one()
        asked = sa.text("SELECT count(DISTINCT (organization_id, call_id)) FROM ai_usage_log")
        calls = connection.execute(asked).scalar_one()
    assert counted == calls


def test_a_settlement_reopens_its_day_alone(rows: Rows) -> None:
    attempt_id = rows.attempt(call_id="retried", occurred_at=AT, outcome="sent", cost_usd=None)
    rows.attempt(call_id="retried", occurred_at=AT + timedelta(days=2))
    rolled_up(url_of(rows))
    with rows.engine.begin() as connection:
        settled = "UPDATE ai_usage_log SET outcome = 'succeeded', cost_usd = 0.0001 WHERE attempt_id = :id"
        connection.execute(sa.text(settled), {"id": attempt_id})
    assert marked_days(rows.engine) == [AT.date()]


def test_a_club_that_moves_is_rolled_up_anew_by_its_new_days(rows: Rows) -> None:
    late = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    rows.attempt(occurred_at=late)
    rows.insight(created_at=late)
    rolled_up(url_of(rows))
    move(rows, "club", "UTC")  # where it is
    assert marked_days(rows.engine) == []
    move(rows, "club", "Asia/Kolkata")
    assert marked_days(rows.engine) == marked_days(rows.engine, "outcomes") == [date(2026, 3, 2)]
    rolled_up(url_of(rows))
    for name in ("rollup_player_day", "rollup_outcome_day"):
        with rows.engine.connect() as connection:
            asked = sa.text(f"SELECT utc_day, local_day FROM {name}")  # noqa: S608
            assert connection.execute(asked).all() == [(date(2026, 3, 2), date(2026, 3, 3))]


def test_a_club_that_moves_while_a_day_is_rolled_up_has_it_marked_in_the_end(rows: Rows) -> None:
    with rows.engine.begin() as mover:
        mover.execute(sa.text("UPDATE organization SET timezone = 'Asia/Kolkata'"))
        rows.attempt()
        rolled_up(url_of(rows))
    assert marked_days(rows.engine) == [AT.date()]


def test_a_day_whose_savings_are_by_another_price_list_is_rolled_up_again(rows: Rows) -> None:
    rows.attempt()
    rolled_up(url_of(rows))
    told = org_usage(rows.engine, "club", AT.date(), AT.date() + timedelta(days=1))
    with rows.engine.begin() as connection:
        connection.execute(sa.text("UPDATE rollup_day SET price_version = 'an older list'"))
        connection.execute(sa.text("UPDATE rollup_organization_day SET saved_usd = 7"))
    assert org_usage(rows.engine, "club", AT.date(), AT.date() + timedelta(days=1)) == told
    assert rolled_up(url_of(rows)).days == (AT.date(),)
    assert org_usage(rows.engine, "club", AT.date(), AT.date() + timedelta(days=1)) == told
    assert rolled_up(url_of(rows)).days == ()


def test_calls_are_counted_for_the_checks_in_another_way_that_comes_to_the_same(rows: Rows) -> None:
    async def counted() -> dict[date, int]:
        async with rollup_on(url_of(rows)) as rollup:
            await stage_days.fn(rollup, None)
            async with rollup.engine.connect() as connection:
                asked = sa.text("SELECT utc_day, calls FROM staged_ledger_day")
                return {row.utc_day: row.calls for row in (await connection.execute(asked)).all()}

    expected = {day: sums["calls"] for (day,), sums in added_up(random_season(rows), ()).items()}
    assert asyncio.run(counted()) == expected


def test_outcomes_follow_insights_and_summaries_as_they_change(rows: Rows) -> None:
    rows.summary(state="pending_review", created_at=AT + timedelta(days=1))
    waiting = rows.insight(created_at=AT)
    rolled_up(url_of(rows))
    assert outcomes(rows) == {
        (AT.date(), "insight", "summarized", ""): 1,
        (AT.date(), "insight", "pending", ""): 1,
        ((AT + timedelta(days=1)).date(), "summary", "pending_review", "review"): 1,
    }
    with rows.engine.begin() as connection:
        connection.execute(sa.text("UPDATE insight SET missed_due = true"))
    assert marked_days(rows.engine, "outcomes") == []
    with rows.engine.begin() as connection:
        parked = sa.text("UPDATE insight SET state = 'parked', state_reason = 'refused' WHERE id = :id")
        connection.execute(parked, {"id": waiting})
        connection.execute(sa.text("UPDATE summary SET state = 'approved'"))
    assert marked_days(rows.engine, "outcomes") == [AT.date(), (AT + timedelta(days=1)).date()]
    assert marked_days(rows.engine) == []  # usage is not touched
    rolled_up(url_of(rows))
    assert outcomes(rows) == {
        (AT.date(), "insight", "summarized", ""): 1,
        (AT.date(), "insight", "parked", ""): 1,
        ((AT + timedelta(days=1)).date(), "summary", "approved", "review"): 1,
    }


def outcomes(rows: Rows) -> dict[tuple[Any, ...], int]:
    with rows.engine.connect() as connection:
        found = connection.execute(sa.select(tables.RollupOutcomeDay)).mappings()
        return {
            (row["utc_day"], row["subject"], row["state"], row["decision"]): row["number"] for row in found
        }


def test_what_is_written_after_the_snapshot_is_published_the_next_time(rows: Rows) -> None:
    async def meanwhile() -> None:
        async with rollup_on(url_of(rows)) as rollup:
            taken = await stage_days.fn(rollup, None)
            rows.attempt(cost_usd=Decimal("0.5"))
            await publish_staged.fn(rollup, taken)

    rows.attempt()
    asyncio.run(meanwhile())
    assert marked_days(rows.engine) == [AT.date()]
    rolled_up(url_of(rows))
    assert marked_days(rows.engine) == []
    with rows.engine.connect() as connection:
        cost_usd = connection.execute(sa.text("SELECT cost_usd FROM rollup_platform_day")).scalar_one()
    assert cost_usd == Decimal("0.50012")


def test_nobody_waits_for_somebody_who_is_writing(rows: Rows) -> None:
    """A writer that has not committed yet holds its mark: the day is published, and stays marked."""

    async def beside_a_writer() -> None:
        async with rollup_on(url_of(rows)) as rollup:
            with rows.engine.begin() as writer:
                writer.execute(sa.insert(tables.AiUsageLog), [ledger_row(990)])
                taken = await stage_days.fn(rollup, None)
                writer.execute(sa.insert(tables.AiUsageLog), [ledger_row(991)])
                await asyncio.wait_for(publish_staged.fn(rollup, taken), timeout=20)
                still = writer.execute(sa.text("SELECT count(*) FROM ai_usage_log")).scalar_one()
                assert still == 3

    rows.attempt()
    asyncio.run(beside_a_writer())
    assert marked_days(rows.engine) == [AT.date()]
    rolled_up(url_of(rows))
    assert_calls_equal_the_ledgers(rows)


def test_a_flow_run_that_is_started_again_while_its_first_process_lives_is_another_run(rows: Rows) -> None:
    async def twice() -> None:
        async with rollup_on(url_of(rows)) as first, rollup_on(url_of(rows)) as again:
            again.flow_run_id = first.flow_run_id
            staged = await stage_days.fn(first, None)
            same = await stage_days.fn(again, None)
            assert await publish_staged.fn(first, staged) == 4
            assert await publish_staged.fn(again, same) is None

    rows.attempt()
    asyncio.run(twice())
    assert [len(found) for found in published(rows.engine).values()] == [1, 1, 1, 1, 0]


def test_another_run_that_comes_and_goes_leaves_what_is_staged(rows: Rows) -> None:
    async def two() -> None:
        async with rollup_on(url_of(rows)) as first, rollup_on(url_of(rows)) as other:
            staged = await stage_days.fn(first, [AT.date()])
            await stage_days.fn(other, [AT.date()])
            await leave(other)
            assert await publish_staged.fn(first, staged) == 4

    rows.attempt()
    asyncio.run(two())


@pytest.mark.parametrize("table", [staged.name for staged in STAGED if staged.name != "staged_outcome_day"])
def test_what_is_gone_of_staging_is_noticed_before_it_is_published(rows: Rows, table: str) -> None:
    """As after a crash of the server: staging is not logged."""

    async def lose() -> None:
        async with rollup_on(url_of(rows)) as rollup:
            taken = await stage_days.fn(rollup, None)
            with rows.engine.begin() as connection:
                assert connection.execute(sa.text(f"DELETE FROM {table}")).rowcount == 1  # noqa: S608
            with pytest.raises(BooksDisagree, match="something is gone"):
                await publish_staged.fn(rollup, taken)

    rows.attempt(cost_usd=Decimal("0.5"))
    asyncio.run(lose())
    assert marked_days(rows.engine) == [AT.date()]
    assert not any(published(rows.engine).values())


def test_of_two_at_once_the_one_that_comes_second_changes_nothing(rows: Rows) -> None:
    async def two() -> None:
        async with rollup_on(url_of(rows)) as first, rollup_on(url_of(rows)) as second:
            older = await stage_days.fn(first, None)
            rows.attempt(cost_usd=Decimal("0.5"))
            newer = await stage_days.fn(second, None)
            assert await publish_staged.fn(second, newer) is not None
            told = published(rows.engine)
            assert await publish_staged.fn(first, older) is None
            assert published(rows.engine) == told
            await leave(first)

    rows.attempt()
    asyncio.run(two())
    assert marked_days(rows.engine) == []


def test_days_that_were_asked_for_are_not_published_over_newer_ones(rows: Rows) -> None:
    """Without marks to miss, only the day's own note tells that somebody was faster."""

    async def two() -> None:
        async with rollup_on(url_of(rows)) as first, rollup_on(url_of(rows)) as second:
            older = await stage_days.fn(first, [AT.date()])
            assert older.marks == ()
            rows.attempt(cost_usd=Decimal("0.5"))
            assert await publish_staged.fn(second, await stage_days.fn(second, None)) is not None
            assert await publish_staged.fn(first, older) is None

    rows.attempt()
    rolled_up(url_of(rows))
    asyncio.run(two())
    with rows.engine.connect() as connection:
        cost_usd = connection.execute(sa.text("SELECT cost_usd FROM rollup_platform_day")).scalar_one()
    assert cost_usd == Decimal("0.50012")


def staged_rows(rows: Rows) -> int:
    with rows.engine.connect() as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM staged_player_day")).scalar_one())


def test_what_a_killed_run_has_staged_is_swept_away_in_the_end(rows: Rows) -> None:
    async def killed() -> None:
        async with rollup_on(url_of(rows)) as rollup:
            await stage_days.fn(rollup, None)

    rows.attempt()
    asyncio.run(killed())
    assert staged_rows(rows) == 1
    rolled_up(url_of(rows))
    assert staged_rows(rows) == 1  # it might still be at work
    with rows.engine.begin() as connection:
        aged = sa.text("UPDATE rollup_run SET started_at = started_at - CAST(:age AS interval)")
        connection.execute(aged, {"age": KILLED_AFTER})
    rolled_up(url_of(rows))
    assert staged_rows(rows) == 0


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


@pytest.mark.parametrize("statement", ["DELETE FROM ai_usage_log", "TRUNCATE ai_usage_log CASCADE"])
def test_the_ledger_refuses_to_lose_rows(rows: Rows, statement: str) -> None:
    rows.attempt()
    with pytest.raises(sa.exc.IntegrityError, match="only grows"), rows.engine.begin() as connection:
        connection.execute(sa.text(statement))
