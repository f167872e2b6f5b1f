"""Pacing: no request goes before the shared buckets of the API's rate limits hold what it needs."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from core.clock import Clock
from core.forecast import Limits
from core.limits import KINDS, Bucket, full_bucket, limits_of
from core.usage import Usage
from models.rate_limit import QUERIES
from tasks.transactions import Transactions

SHORTEST_WAIT_SECONDS = 0.02


class Pace:
    """The rate limits of one model and account; without any that is known, nobody waits."""

    def __init__(self, transactions: Transactions, *, account: str, model: str, clock: Clock) -> None:
        self._transactions = transactions
        self._key = {"account": account, "model": model}
        self._clock = clock
        self._known: dict[str, int] = {}  # per minute, by kind
        self._purse: defaultdict[str, float] = defaultdict(float)  # taken from the buckets, not yet used
        self._blocked_until: datetime | None = None
        self._in_line = asyncio.Lock()

    @property
    def limits(self) -> Limits:
        """What is known of the limits."""
        return Limits(**self._known)

    async def load(self) -> None:
        """Learn what earlier runs and other workers know."""

        async def read(connection: AsyncConnection) -> dict[str, int]:
            rows = await connection.execute(QUERIES["known"], self._key)
            return {row.kind: row.per_minute for row in rows}

        self._known.update(await self._transactions.commit(read))

    async def heard(self, headers: Mapping[str, str]) -> None:
        """Learn the limits that an answer tells; a change is shared with the other workers."""
        told = limits_of(headers)
        limits = {kind: limit for kind in KINDS if (limit := getattr(told, kind)) is not None}
        if not limits.items() - self._known.items():
            return
        self._known.update(limits)
        rows = [
            self._key | _columns(kind, full_bucket(limit, self._clock.now()))
            for kind, limit in limits.items()
        ]

        async def keep(connection: AsyncConnection) -> None:
            await connection.execute(QUERIES["open"], rows)

        await self._transactions.commit(keep)

    async def block(self, seconds: float) -> None:
        """The API has asked to wait: no worker sends before that."""
        until = self._clock.now() + timedelta(seconds=seconds)
        self._blocked_until = max(until, self._blocked_until or until)

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(QUERIES["block"], self._key | {"until": until})

        await self._transactions.commit(write)

    async def wait(self, predicted: Usage) -> None:
        """Return when a request of this size may go."""
        if not self._known and self._blocked_until is None:
            return
        needs = _needs(predicted)
        async with self._in_line:
            while (seconds := await self._short_of(needs)) > 0:
                await self._clock.sleep(max(seconds, SHORTEST_WAIT_SECONDS))
            for kind in self._known:
                self._purse[kind] -= needs[kind]

    def correct(self, predicted: Usage, used: Usage) -> None:
        """Take what an answer used beyond its prediction out of the purse, or put back what it did not."""
        needed, needs = _needs(predicted), _needs(used)
        for kind in self._known:
            self._purse[kind] -= needs[kind] - needed[kind]

    def give_back(self, predicted: Usage) -> None:
        """Put back what was taken for a request that was not made, or was turned away before any work."""
        for kind, amount in _needs(predicted).items():
            if kind in self._known:
                self._purse[kind] += amount

    async def _short_of(self, needs: Mapping[str, float]) -> float:
        """Fill the purse from the shared buckets; gives the seconds to wait when it holds too little."""
        now = self._clock.now()
        if self._blocked_until is not None and self._blocked_until > now:
            return (self._blocked_until - now).total_seconds()
        missing = {kind: needs[kind] - self._purse[kind] for kind in self._known}
        if all(amount <= 0 for amount in missing.values()):
            return 0.0

        async def take(connection: AsyncConnection) -> tuple[float, dict[str, float]]:
            waits, taken = 0.0, {}
            for row in (await connection.execute(QUERIES["hold"], self._key)).all():
                if row.blocked_until is not None:
                    waits = max(waits, (row.blocked_until - now).total_seconds())
                bucket = Bucket(row.per_minute, row.level, row.level_at).refilled(now)
                bucket, taken[row.kind] = bucket.taken(missing.get(row.kind, 0.0))
                if not taken[row.kind] and missing.get(row.kind, 0.0) > 0:
                    waits = max(waits, bucket.empty_seconds, SHORTEST_WAIT_SECONDS)
                await connection.execute(QUERIES["draw"], self._key | _columns(row.kind, bucket))
            return waits, taken

        seconds, taken = await self._transactions.commit(take)
        for kind, amount in taken.items():
            self._purse[kind] += amount
        return seconds


def _needs(usage: Usage) -> dict[str, float]:
    uncached = usage.total_input_tokens - usage.cache_read_tokens
    return {"requests": 1.0, "input_tokens": float(uncached), "output_tokens": float(usage.output_tokens)}


def _columns(kind: str, bucket: Bucket) -> dict[str, object]:
    return {"kind": kind, "per_minute": bucket.per_minute, "level": bucket.level, "level_at": bucket.at}
