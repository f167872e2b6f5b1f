"""The emulator's own time: faster by a factor, moved by the admin call, followed by everybody who waits."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from emulator.errors import invalid

Seconds = Callable[[], float]

# For so long after a request has come, a second is a second at any speed: the client may still be sending,
# and what it takes for that must not look longer than it is, or the bill would depend on the speed.
CLIENT_AT_WORK_SECONDS = 0.02
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


class Clock:
    """Time that starts at `start`, runs `speed` times as fast as `monotonic`, and can be moved forward."""

    def __init__(self, start: datetime, speed: float, monotonic: Seconds) -> None:
        self._speed = speed
        self._monotonic = monotonic
        self._moved = asyncio.Event()
        self._starts = 0
        self.restart(start)

    def restart(self, start: datetime) -> None:
        """Begin anew at `start`; who sleeps until a moment of the time before is woken."""
        self._starts += 1
        self._set(start.astimezone(UTC), quiet_from=self._monotonic())
        self._wake_sleepers()

    def now(self) -> datetime:
        """The emulator's time, in UTC."""
        real = self._monotonic()
        at_work = max(0.0, min(real, self._quiet_from) - self._origin)
        waiting = real - self._origin - at_work
        return self._start + timedelta(seconds=at_work * min(1.0, self._speed) + waiting * self._speed)

    def request_came(self) -> datetime:
        """Note that a client is at work; the time of its request."""
        now = self.now()
        self._set(now, quiet_from=self._monotonic() + CLIENT_AT_WORK_SECONDS)
        return now

    def advance(self, seconds: float) -> datetime:
        """Move forward at once; whoever sleeps past the new time wakes."""
        if seconds > (LATEST - self.now()).total_seconds():
            raise invalid(f"advance_seconds: not beyond {rfc3339(LATEST)}")
        self._set(self.now() + timedelta(seconds=seconds), self._quiet_from)
        self._wake_sleepers()
        return self.now()

    async def sleep_until(self, moment: datetime) -> None:
        """Return once this clock shows `moment`, be it by waiting, by an advance or by a restart."""
        starts = self._starts
        while starts == self._starts and (remaining := (moment - self.now()).total_seconds()) > 0:
            moved = self._moved
            with suppress(TimeoutError):
                async with asyncio.timeout(self._real_seconds(remaining)):
                    await moved.wait()

    def _set(self, start: datetime, quiet_from: float) -> None:
        self._start = start
        self._origin = self._monotonic()
        self._quiet_from = quiet_from

    def _real_seconds(self, seconds: float) -> float:
        """How long so much of this clock's time takes, if no request comes meanwhile."""
        rate = min(1.0, self._speed)
        at_work = max(0.0, self._quiet_from - self._monotonic())
        if seconds <= at_work * rate:
            return seconds / rate
        return at_work + (seconds - at_work * rate) / self._speed

    def _wake_sleepers(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


def rfc3339(moment: datetime) -> str:
    """A time as the contract wants it: RFC 3339 in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
