"""Several workers on one database, without any process: each has a holder, and all have one clock."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from core.calls import Prefix
from core.pricing import CacheTtl
from database.engine import connect_async
from tasks.limits import Pace
from tasks.transactions import Transactions
from tasks.warmth import Warmth

START = datetime(2026, 11, 22, 20, tzinfo=UTC)
ACCOUNT = "account"
MODEL = "claude-haiku-5-5"
STORY_SECONDS_MAX = 30


class StillClock:
    """A clock that only a test moves: who sleeps on it lets others work, and looks again."""

    def __init__(self) -> None:
        self.time = START
        self.slept = 0

    def now(self) -> datetime:
        return self.time

    def move(self, **by: float) -> None:
        self.time += timedelta(**by)

    async def sleep(self, seconds: float) -> None:
        self.slept += 1
        await asyncio.sleep(0)


class PatientClock(StillClock):
    """A clock on which a sleep ends when the test has moved it far enough."""

    async def sleep(self, seconds: float) -> None:
        until = self.time + timedelta(seconds=seconds)
        while self.time < until:  # noqa: ASYNC110 - the test moves it at any place
            await asyncio.sleep(0.001)


class MovingClock(StillClock):
    """A clock that sleeping moves on."""

    async def sleep(self, seconds: float) -> None:
        self.move(seconds=seconds)
        await super().sleep(seconds)


class Workers:
    """Makes what a worker shares with the others; `statements` counts what they ask the database."""

    def __init__(self, engine: AsyncEngine, clock: StillClock) -> None:
        self.engine, self.clock, self.statements = engine, clock, 0
        sa.event.listen(engine.sync_engine, "before_cursor_execute", self._count)

    def _count(self, *_: Any) -> None:
        self.statements += 1

    def warmth(self, holder: str = "worker") -> Warmth:
        return Warmth(self.transactions(), account=ACCOUNT, holder=holder, clock=self.clock)

    def pace(self, model: str = MODEL) -> Pace:
        return Pace(self.transactions(), account=ACCOUNT, model=model, clock=self.clock)

    def transactions(self) -> Transactions:
        return Transactions(self.engine, self.clock)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(sa.text(query))]


Story = Callable[[Workers], Awaitable[None]]


def tell(database_url: str, story: Story, clock: StillClock | None = None) -> None:
    """Let a story of workers happen."""

    async def whole() -> None:
        engine = connect_async(database_url)
        try:
            async with asyncio.timeout(STORY_SECONDS_MAX):
                await story(Workers(engine, clock or StillClock()))
        finally:
            await engine.dispose()

    asyncio.run(whole())


def path(*keys: str, ttl: CacheTtl = "5m") -> list[Prefix]:
    """Marked prefixes, shortest first."""
    return [Prefix(key, 1_000 * number, ttl) for number, key in enumerate(keys, 1)]


async def still_waits(task: "asyncio.Task[Any]") -> bool:
    """Say whether a task still waits after all others had their turn with the database."""
    done, _ = await asyncio.wait({task}, timeout=0.05)
    return not done


def warm(warmth: Warmth, *keys: str) -> set[str]:
    """Give those of these prefixes that a worker knows to be warm."""
    return {key for key in keys if warmth.is_warm(key)}
