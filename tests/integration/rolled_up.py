"""Rolling days up without a flow: staged and published, and what is then published."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from core.rollups import Taken
from database.engine import connect_async
from tasks.clock import SystemClock
from tasks.rollups import ROLLUPS, Rollup, leave, publish_staged, stage_days
from tests.integration.stored_rows import Rows


@asynccontextmanager
async def rollup_on(url: str) -> AsyncIterator[Rollup]:
    """A run of the rollup, with an engine of its own."""
    engine = connect_async(url, connections=2)
    try:
        yield Rollup(str(uuid4()), engine, url, SystemClock())
    finally:
        await engine.dispose()


async def roll_up(url: str, days: Sequence[date] | None = None, *, rebuild: bool = False) -> Taken:
    """Stage and publish, unchecked; gives what was taken."""
    async with rollup_on(url) as rollup:
        taken = await stage_days.fn(rollup, days, rebuild)
        if taken.days:
            assert await publish_staged.fn(rollup, taken) is not None
        await leave(rollup)
    return taken


def rolled_up(url: str, days: Sequence[date] | None = None, *, rebuild: bool = False) -> Taken:
    """The same, for tests that are not asynchronous."""
    return asyncio.run(roll_up(url, days, rebuild=rebuild))


def published(engine: sa.Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every published row, by table, in the order of the keys."""
    found = {}
    with engine.connect() as connection:
        for model in ROLLUPS.values():
            table = model.__table__
            rows = connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            found[table.name] = [tuple(row) for row in rows]
    return found


def marked_days(engine: sa.Engine, subject: str = "usage") -> list[date]:
    """The days that are marked."""
    with engine.connect() as connection:
        asked = sa.text(
            "SELECT DISTINCT utc_day FROM rollup_dirty_day WHERE subject = :subject ORDER BY utc_day"
        )
        return list(connection.execute(asked, {"subject": subject}).scalars())


def url_of(rows: Rows) -> str:
    """Where the rows are."""
    return rows.engine.url.render_as_string(hide_password=False)


def move(rows: Rows, club: str, zone: str) -> None:
    """Give a club another time zone."""
    with rows.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE organization SET timezone = :zone WHERE id = :club"), {"zone": zone, "club": club}
        )


def assert_calls_equal_the_ledgers(rows: Rows) -> None:
    """Every call is counted on one day."""
    with rows.engine.connect() as connection:
        counted = connection.execute(sa.text("SELECT sum(calls) FROM rollup_platform_day")).scalar_one()
        asked = sa.text("SELECT count(DISTINCT (organization_id, call_id)) FROM ai_usage_log")
        calls = connection.execute(asked).scalar_one()
    assert counted == calls
