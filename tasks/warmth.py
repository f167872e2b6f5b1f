"""Who writes a prefix into the cache, and who waits for it: one leader per cold prefix over all workers.

An entry can be read only once its writer's answer has begun, so the first call of a cold prefix goes alone
and the others wait for that. Which prefix is warm, and who is writing it, is a row in the database; within a
process what is known to be warm is remembered, and only the first in line asks the database.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, cast

from sqlalchemy.ext.asyncio import AsyncConnection

from core.calls import Prefix
from core.clock import Clock
from core.markers import LIFETIME_SECONDS
from core.pricing import CacheTtl
from core.states import Lane
from models.cache_prefix import QUERIES
from tasks.transactions import Transactions

SAFETY = timedelta(seconds=15)  # an entry this close to its end counts as cold
BATCH_SAFETY = timedelta(minutes=10)
LEADER_LEASE = timedelta(seconds=30)  # one more write is cheaper than everybody waiting for a slow answer
RENEW_AFTER = timedelta(seconds=10)
POLL_SECONDS = 0.1  # how often followers in other processes look
TELL_EVERY = timedelta(seconds=30)  # uses are told to other workers no more often than that
REMEMBERED = timedelta(hours=2)
TIDY_AT = 2_000  # prefixes known to a process


class Entry(NamedTuple):
    """What is known of a cached prefix."""

    ttl: CacheTtl
    warm_until: datetime


class Warmth:
    """Which prefixes can be read from the cache, and until when, as far as this process knows."""

    def __init__(
        self,
        transactions: Transactions,
        *,
        account: str,
        holder: str,
        clock: Clock,
        safety: timedelta = SAFETY,
    ) -> None:
        self._safety = safety
        self._transactions = transactions
        self._account = account
        self._holder = holder
        self._clock = clock
        self._entries: dict[str, Entry] = {}
        self._told: dict[str, datetime] = {}  # what other workers know
        self._turns: dict[str, asyncio.Lock] = {}
        self._tidy_at = TIDY_AT

    async def look(self, keys: Sequence[str]) -> dict[str, CacheTtl]:
        """Return which of these prefixes can be read now, as all workers know it."""

        async def read(connection: AsyncConnection) -> Mapping[str, Entry]:
            asked = {"account": self._account, "keys": list(keys), "cold_before": self._cold_before()}
            rows = await connection.execute(QUERIES["warm"], asked)
            return {row.key: Entry(row.ttl, row.warm_until) for row in rows}

        for key, entry in (await self._transactions.commit(read)).items():
            self._note(key, entry)
        return {key: self._entries[key].ttl for key in keys if self.is_warm(key)}

    async def forget_cold(self) -> None:
        """Forget what has long gone cold."""
        old = {"account": self._account, "before": self._clock.now() - REMEMBERED}

        async def forget(connection: AsyncConnection) -> None:
            await connection.execute(QUERIES["forget"], old)

        await self._transactions.commit(forget)

    def is_warm(self, key: str) -> bool:
        """Say whether the prefix can be read now."""
        entry = self._entries.get(key)
        return entry is not None and entry.warm_until > self._cold_before()

    def turn(self, key: str) -> asyncio.Lock:
        """Return the lock that whoever in this process leads a prefix, or asks for it, holds."""
        if len(self._turns) >= self._tidy_at:
            self._tidy()
            self._tidy_at = max(TIDY_AT, 2 * len(self._turns))
        return self._turns.setdefault(key, asyncio.Lock())

    async def lead(self, prefix: Prefix) -> bool:
        """Become the prefix's leader; False when it is warm already. Waits while another worker leads."""
        while True:
            now = self._clock.now()
            asked = {
                "account": self._account,
                "key": prefix.key,
                "ttl": prefix.ttl,
                "leader": self._holder,
                "leader_until": now + LEADER_LEASE,
                "now": now,
                "cold_before": self._cold_before(),
            }

            async def try_to(
                connection: AsyncConnection, asked: Mapping[str, object] = asked
            ) -> Entry | bool:
                if (await connection.execute(QUERIES["lead"], asked)).first():
                    return True
                row = (await connection.execute(QUERIES["look"], asked)).first()
                return Entry(row.ttl, row.warm_until) if row and row.warm_until else False

            found = await self._transactions.commit(try_to)
            if found is True:
                return True
            if isinstance(found, Entry):
                self._note(prefix.key, found)
            if self.is_warm(prefix.key):
                return False
            await self._clock.sleep(POLL_SECONDS)

    async def used(self, prefixes: Iterable[Prefix], started_at: datetime, *, led: bool) -> None:
        """Note that a request that began at `started_at` has read these prefixes, or with `led` written them.

        A read keeps the lifetime that the entry was written with.
        """
        stale = []
        for prefix in prefixes:
            known = self._entries.get(prefix.key)
            ttl = known.ttl if known and not led else cast("CacheTtl", prefix.ttl)
            until = started_at + timedelta(seconds=LIFETIME_SECONDS[ttl])
            self._note(prefix.key, Entry(ttl, until))
            if led or until - self._told.get(prefix.key, until - TELL_EVERY) >= TELL_EVERY:
                self._told[prefix.key] = until
                stale.append(prefix.key)
        if stale:
            await self._tell("used", sorted(stale), started_at=started_at)

    async def written(self, keys: Sequence[str], ttl: CacheTtl, started_at: datetime) -> None:
        """Note that these were written or read by a request of a batch, which began then or later."""
        for key in keys:
            self._note(key, Entry(ttl, started_at + timedelta(seconds=LIFETIME_SECONDS[ttl])))
        await self._tell("written", sorted(keys), ttl=ttl, started_at=started_at)

    async def renew(self, keys: Sequence[str]) -> bool:
        """Lead these for another lease; False when somebody has taken one of them over."""
        asked = {
            "account": self._account,
            "keys": list(keys),
            "leader": self._holder,
            "leader_until": self.now() + LEADER_LEASE,
        }

        async def write(connection: AsyncConnection) -> int:
            return len((await connection.execute(QUERIES["renew"], asked)).all())

        return await self._transactions.commit(write) == len(keys)

    def now(self) -> datetime:
        """Return the run's time."""
        return self._clock.now()

    async def give_up(self, keys: Sequence[str]) -> None:
        """Let others lead these."""
        await self._tell("give_up", keys)

    async def _tell(self, query: str, keys: Sequence[str], **more: object) -> None:
        told = {"account": self._account, "keys": list(keys), "leader": self._holder, **more}

        async def write(connection: AsyncConnection) -> None:
            await connection.execute(QUERIES[query], told)

        await self._transactions.commit(write)

    def _tidy(self) -> None:
        """Forget what is cold and nobody waits for: the prefixes of players come and go."""
        for key in [key for key, turn in self._turns.items() if not turn.locked() and not self.is_warm(key)]:
            for kept in (self._turns, self._entries, self._told):
                kept.pop(key, None)

    def _note(self, key: str, entry: Entry) -> None:
        known = self._entries.get(key)
        if known is None or known.warm_until < entry.warm_until:
            self._entries[key] = entry
        self._told.setdefault(key, entry.warm_until)

    def _cold_before(self) -> datetime:
        return self._clock.now() + self._safety


def warmth_in(lane: Lane, transactions: Transactions, *, account: str, holder: str, clock: Clock) -> Warmth:
    """Return what is known of the cache of a lane: batches and live calls do not share one.

    When a batch begins is not known: what it is to read must live for a while longer.
    """
    if lane is Lane.OVERNIGHT:
        account, safety = f"{account}/batches", BATCH_SAFETY
    else:
        safety = SAFETY
    return Warmth(transactions, account=account, holder=holder, clock=clock, safety=safety)


class Lead:
    """What one call leads: its cold prefixes, held until its answer begins or it gives up."""

    def __init__(self, warmth: Warmth, prefixes: Sequence[Prefix]) -> None:
        self._warmth = warmth
        self._prefixes = prefixes
        self._held: dict[Prefix, asyncio.Lock] = {}
        self._read: Prefix | None = None
        self._leading_since: datetime | None = None

    @property
    def leading(self) -> bool:
        """True while followers wait for this call."""
        return bool(self._held)

    async def take(self) -> None:
        """Wait until the longest prefix is warm, or all that is cold of it is ours to write.

        Shortest first, so that nobody waits in a ring. A leader that asks again goes on leading.
        """
        if self.leading:
            return
        for place, prefix in enumerate(self._prefixes):
            if not self._covered(place):
                await self._take_turn(place, prefix)

    async def _take_turn(self, place: int, prefix: Prefix) -> None:
        turn = self._warmth.turn(prefix.key)
        await turn.acquire()
        try:
            if not self._covered(place):  # what others have written, a longer one perhaps
                await self._warmth.look([longer.key for longer in self._prefixes[place:]])
            if not self._covered(place) and await self._warmth.lead(prefix):
                self._held[prefix] = turn
                self._leading_since = self._leading_since or self._warmth.now()
            else:
                self._covered(place)
        finally:
            if prefix not in self._held:
                turn.release()

    def is_ready(self) -> bool:
        """Say whether a request may go now: it leads, or what it is to read is still warm."""
        return self.leading or not self._prefixes or self._covered(len(self._prefixes) - 1)

    async def still_leads(self) -> bool:
        """Say whether nobody has taken over what this call leads, after a wait perhaps longer than its lease.

        When somebody has, all of it is given up: the call has to queue again.
        """
        now = self._warmth.now()
        if not self._held or self._leading_since is None or now - self._leading_since < RENEW_AFTER:
            return True
        if await self._warmth.renew([prefix.key for prefix in self._held]):
            self._leading_since = now
            return True
        await self.give_up()
        return False

    def _covered(self, place: int) -> bool:
        """Say whether this prefix or a longer one is warm; the longest warm one is what will be read."""
        for prefix in reversed(self._prefixes[place:]):
            if self._warmth.is_warm(prefix.key):
                self._read = prefix
                return True
        return False

    async def begun(self, started_at: datetime) -> None:
        """The answer to a request sent at `started_at` has begun: followers may go.

        A read keeps warm what it read, not (so far as is documented) the shorter prefixes inside it.
        """
        held, self._held, self._leading_since = self._held, {}, None
        try:
            if held:
                await self._warmth.used(held, started_at, led=True)
            if self._read is not None:
                await self._warmth.used([self._read], started_at, led=False)
                self._read = None
        finally:
            for turn in held.values():
                turn.release()

    async def give_up(self) -> None:
        """Let the next in line lead whatever is still held."""
        held, self._held, self._leading_since = self._held, {}, None
        try:  # the row first: whoever gets the turn may become its leader
            if held:
                await self._warmth.give_up([prefix.key for prefix in held])
        finally:
            for turn in held.values():
                turn.release()
