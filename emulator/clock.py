"""The emulator's own time: faster by a factor, moved by the admin call, followed by everybody who waits."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

Seconds = Callable[[], float]


class Clock:
    """Time that starts at `start`, runs `speed` times as fast as `monotonic`, and can be moved forward."""

    def __init__(self, start: datetime, speed: float, monotonic: Seconds) -> None:
        self._speed = speed
        self._monotonic = monotonic
        self._moved = asyncio.Event()
        self.restart(start)

    def restart(self, start: datetime) -> None:
        """Begin anew at `start`, forgetting every advance."""
        self._start = start.astimezone(UTC)
        self._origin = self._monotonic()
        self._advanced_seconds = 0.0
        self._wake_sleepers()

    def now(self) -> datetime:
        """The emulator's time, in UTC."""
        elapsed = (self._monotonic() - self._origin) * self._speed
        return self._start + timedelta(seconds=elapsed + self._advanced_seconds)

    def advance(self, seconds: float) -> datetime:
        """Move forward at once; whoever sleeps past the new time wakes."""
        self._advanced_seconds += seconds
        self._wake_sleepers()
        return self.now()

    async def sleep_until(self, moment: datetime) -> None:
        """Return once this clock shows `moment`, be it by waiting or by an advance."""
        while (remaining := (moment - self.now()).total_seconds()) > 0:
            moved = self._moved
            with suppress(TimeoutError):
                async with asyncio.timeout(remaining / self._speed):
                    await moved.wait()

    def _wake_sleepers(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


def rfc3339(moment: datetime) -> str:
    """A time as the contract wants it: RFC 3339 in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
