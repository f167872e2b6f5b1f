"""Who writes a prefix into the cache, and who waits for it: one leader per cold prefix.

An entry can be read only once its writer's answer has begun, so the first call of a cold prefix goes
alone and the others wait for that. If it fails before, the next one in line leads. All this is known to
one process only: two runs at once each write what they share.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from core.clock import Clock

CACHE_LIFETIME = timedelta(seconds=300)  # from the start of the request that last used the entry
SAFETY = timedelta(seconds=15)  # an entry this close to its end counts as cold


class Warmth:
    """Which prefixes of this run can be read from the cache, and until when."""

    def __init__(self) -> None:
        self._warm_until: dict[str, datetime] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    def warm(self, now: datetime) -> frozenset[str]:
        """Return the prefixes that can be read now."""
        return frozenset(prefix for prefix in self._warm_until if self.is_warm(prefix, now))

    def is_warm(self, prefix: str, now: datetime) -> bool:
        """Say whether the prefix can be read now."""
        until = self._warm_until.get(prefix)
        return until is not None and now < until - SAFETY

    def used(self, prefixes: Sequence[str], started_at: datetime) -> None:
        """Note that a request which began at `started_at` has written or read these prefixes."""
        for prefix in prefixes:
            until = started_at + CACHE_LIFETIME
            self._warm_until[prefix] = max(until, self._warm_until.get(prefix, until))

    def turn(self, prefix: str) -> asyncio.Lock:
        """Return the lock that the leader of a cold prefix holds."""
        return self._turns.setdefault(prefix, asyncio.Lock())


class Lead:
    """What one call leads: the turns of its cold prefixes, held until its answer begins or it gives up."""

    def __init__(self, warmth: Warmth, prefixes: Sequence[str]) -> None:
        self._warmth = warmth
        self._prefixes = prefixes
        self._held: list[asyncio.Lock] = []
        self._used = list(prefixes)  # what the request will write or read

    @property
    def leading(self) -> bool:
        """True while followers wait for this call."""
        return bool(self._held)

    async def take(self, clock: Clock) -> None:
        """Wait until the longest prefix is warm, or all that is cold of it is ours to write.

        Shortest first, so that nobody waits in a ring. A leader that asks again goes on leading.
        """
        if self.leading:
            return
        for place, prefix in enumerate(self._prefixes):
            if self._covered(place, clock):
                continue
            turn = self._warmth.turn(prefix)
            await turn.acquire()
            if self._covered(place, clock):
                turn.release()
            else:
                self._held.append(turn)

    def is_ready(self, clock: Clock) -> bool:
        """Say whether a request may go now: it leads, or what it is to read is still warm."""
        return self.leading or not self._prefixes or self._covered(len(self._prefixes) - 1, clock)

    def _covered(self, place: int, clock: Clock) -> bool:
        """Say whether this prefix or a longer one is warm; the longest warm one is what will be read."""
        now = clock.now()
        for longer in reversed(range(place, len(self._prefixes))):
            if self._warmth.is_warm(self._prefixes[longer], now):
                self._used = list(self._prefixes[longer:])
                return True
        return False

    def begun(self, started_at: datetime) -> None:
        """The answer to a request sent at `started_at` has begun: followers may go.

        A read keeps warm what it read, not (so far as is documented) the shorter prefixes inside it.
        """
        self._warmth.used(self._used, started_at)
        self.give_up()

    def give_up(self) -> None:
        """Let the next in line lead whatever is still held."""
        while self._held:
            self._held.pop().release()
