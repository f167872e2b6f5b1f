"""Rollups beside writers, beside each other, and after a crash."""

import asyncio
from decimal import Decimal

import pytest
import sqlalchemy as sa

from core.errors import BooksDisagree
from models import tables
from tasks.rollups import KILLED_AFTER, STAGED, leave, publish_staged, stage_days
from tests.integration.rolled_up import (
    assert_calls_equal_the_ledgers,
    marked_days,
    published,
    rolled_up,
    rollup_on,
    url_of,
)
from tests.integration.stored_rows import AT, Rows, ledger_row


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
