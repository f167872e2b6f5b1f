"""One day rolled up, after late rows and for the first time: the seconds of each step, beside the least."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from time import perf_counter
from uuid import uuid4

import psycopg

from benchmarks.rollup.bare import Bare, bare
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
    """The seconds of a rollup's steps; the last one cleans up when all is published."""

    stage: float
    check: float
    publish: float
    leave: float

    @property
    def published(self) -> float:
        """All that it takes until the day is published, but for the checks."""
        return self.stage + self.publish


@dataclass(frozen=True, slots=True)
class Publishing:
    """What rolling up the day took, and what a bare delete and insert of its rows did, in turns."""

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


def publish_one_day(url: str, day: date, rounds: int = ROUNDS) -> tuple[Publishing, Publishing]:
    """Roll up the day, touched and for the first time; each followed by the bare thing, in turns.

    The first round is not counted.
    """
    with bare(url, day) as least:
        done = [
            [_beside_bare(url, day, least, 2 * number + first, first=first) for first in (False, True)]
            for number in range(rounds + 1)
        ]
        rows, ledger_rows = least.take_over(), _ledger_rows(url, day)
    touched, first = zip(*done[1:], strict=True)
    return _published(day, ledger_rows, rows, touched), _published(day, ledger_rows, rows, first)


def _beside_bare(url: str, day: date, least: Bare, number: int, *, first: bool) -> tuple[Steps, float]:
    """Roll up the day when late rows have come, then do the bare thing; gives the seconds of both."""
    touch(url, day, number)
    if first:
        least.unpublish()
    _checkpoint(url)
    steps = asyncio.run(rolled_up(url, day))
    least.take_over()
    _checkpoint(url)
    return steps, least.replace()


def _published(day: date, ledger_rows: int, rows: int, done: Iterable[tuple[Steps, float]]) -> Publishing:
    steps, seconds = zip(*done, strict=True)
    return Publishing(day, ledger_rows, rows, steps, Spread(seconds))


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


# Of the same times as the ids that they are made of.
NEW_ID = (
    "left({0}, 15) || substr(md5({0} || %(number)s)::uuid::text, 16, 4)"
    " || substr({0}, 20, 1) || substr(md5({0} || %(number)s)::uuid::text, 21)"
)
NEW = {
    "attempt_id": NEW_ID.format("attempt_id"),
    "call_id": NEW_ID.format("call_id"),
    "recorded_at": "%(now)s",
}
TOUCH = f"""
    INSERT INTO ai_usage_log ({", ".join(COLUMNS)})
    SELECT {", ".join(NEW.get(name, name) for name in COLUMNS)} FROM ai_usage_log
    WHERE occurred_at >= %(day)s AND occurred_at < %(day)s + 1 AND outcome = 'succeeded'
    ORDER BY md5(attempt_id || %(number)s) LIMIT %(rows)s
"""  # noqa: S608
