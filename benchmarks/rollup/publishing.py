"""One day that late rows have touched, rolled up again: the seconds of each step, beside the least."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from time import perf_counter
from uuid import uuid4

import psycopg

from benchmarks.rollup.bare import bare
from benchmarks.rollup.evenings import NOW, TODAY
from benchmarks.rollup.lines import COLUMNS
from benchmarks.rollup.timing import Spread
from core.rollups import Taken
from database.engine import connect_async
from tasks.rollups import Rollup, leave, publish_staged, stage_days

TUESDAY = 1  # every club trains on it
ROUNDS = 15
LATE_ROWS = 40  # of a day that has 14,000: what comes late on one night


class Standstill:
    """A clock that always shows the bench's present; nothing here waits."""

    def now(self) -> datetime:
        """Return it."""
        return NOW

    async def sleep(self, seconds: float) -> None:
        """Wait, by the machine's own clock."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Steps:
    """The seconds of a rollup's steps."""

    stage: float
    check: float
    publish: float
    leave: float

    @property
    def published(self) -> float:
        """All but the checks."""
        return self.stage + self.publish + self.leave


@dataclass(frozen=True, slots=True)
class Publishing:
    """What rolling up the touched day took, and what a bare delete and insert of its rows did, in turns."""

    day: date
    ledger_rows: int
    rows: int
    steps: tuple[Steps, ...]
    bare: Spread

    def spread(self, step: str) -> Spread:
        """Return the seconds of a step, or of `published`."""
        return Spread(tuple(getattr(one, step) for one in self.steps))


def busy_day() -> date:
    """Return the last day but a few on which all clubs had evening sessions."""
    return TODAY - timedelta(days=(TODAY.weekday() - TUESDAY) % 7)


def publish_one_day(url: str, day: date, rounds: int = ROUNDS) -> Publishing:
    """Touch the day and roll it up, then do the bare thing, in turns; the first of each is not counted."""
    steps, seconds, rows = [], [], 0
    with bare(url, day) as least:
        for number in range(rounds + 1):
            touch(url, day, number)
            steps.append(asyncio.run(rolled_up(url, day)))
            rows = least.take_over()
            _checkpoint(url)
            seconds.append(least.replace())
            _checkpoint(url)
    return Publishing(day, _ledger_rows(url, day), rows, tuple(steps[1:]), Spread(tuple(seconds[1:])))


def touch(url: str, day: date, number: int) -> None:
    """Insert rows that come late, as the ledger's own are: its trigger marks the day."""
    with psycopg.connect(url) as connection:
        late = {"day": day, "number": number, "now": NOW, "rows": LATE_ROWS}
        inserted = connection.execute(TOUCH, late).rowcount
        marked = connection.execute("SELECT DISTINCT utc_day FROM rollup_dirty_day").fetchall()
    assert inserted == LATE_ROWS
    assert marked == [(day,)]


async def rolled_up(url: str, day: date) -> Steps:
    """Do what the flow does about the marked day, without Prefect around it."""
    from tasks.quality import check_staged  # 10 s to import

    async with rollup_on(url) as rollup:
        began = perf_counter()
        taken = await stage_days.fn(rollup, None)
        staged = perf_counter()
        checks = await check_staged.fn(url, rollup.run_id, today=TODAY, now=NOW)
        checked = perf_counter()
        assert taken.days == (day,)
        assert checks.publishable, checks
        await _publish(rollup, taken)
        published = perf_counter()
        await leave(rollup)
        return Steps(staged - began, checked - staged, published - checked, perf_counter() - published)


async def rebuilt(url: str) -> tuple[float, float, int]:
    """Roll up everything, unchecked; gives the seconds of staging and of publishing, and the rows."""
    async with rollup_on(url) as rollup:
        began = perf_counter()
        taken = await stage_days.fn(rollup, None, rebuild=True)
        staged = perf_counter()
        rows = await _publish(rollup, taken)
        published = perf_counter()
        await leave(rollup)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")  # as it is after a while: by itself it would come meanwhile
        connection.execute("CHECKPOINT")
    return staged - began, published - staged, rows


async def publish_marked(url: str) -> None:
    """Roll up what is marked, unchecked."""
    async with rollup_on(url) as rollup:
        await _publish(rollup, await stage_days.fn(rollup, None))
        await leave(rollup)


@asynccontextmanager
async def rollup_on(url: str) -> AsyncIterator[Rollup]:
    """A run of the rollup, with an engine of its own."""
    engine = connect_async(url, connections=2)
    try:
        yield Rollup(str(uuid4()), engine, url, Standstill())
    finally:
        await engine.dispose()


async def _publish(rollup: Rollup, taken: Taken) -> int:
    rows = await publish_staged.fn(rollup, taken)
    assert rows is not None
    return rows


def _checkpoint(url: str) -> None:
    """Let neither of the two pay for what the other has left to write."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def _ledger_rows(url: str, day: date) -> int:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT ledger_rows FROM rollup_day WHERE utc_day = %s", [day]).fetchone()
    assert found is not None
    return int(found[0])


NEW = {
    "attempt_id": "md5(attempt_id || %(number)s)::uuid::text",
    "call_id": "md5(call_id || %(number)s)::uuid::text",
    "recorded_at": "%(now)s",
}
TOUCH = f"""
    INSERT INTO ai_usage_log ({", ".join(COLUMNS)})
    SELECT {", ".join(NEW.get(name, name) for name in COLUMNS)} FROM ai_usage_log
    WHERE occurred_at >= %(day)s AND occurred_at < %(day)s + 1 AND outcome = 'succeeded'
    ORDER BY md5(attempt_id || %(number)s) LIMIT %(rows)s
"""  # noqa: S608
