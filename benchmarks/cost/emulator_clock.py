"""Clocks that show the emulator's time: one that asks for it, and one that moves it."""

import asyncio
import http.client
import json
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from urllib.parse import urlsplit

POLL_SECONDS = 0.02
NIGHT_BEGINS = time(21, tzinfo=UTC)


class EmulatorClock:
    """Asks the emulator each time; it answers within a millisecond."""

    def __init__(self, base_url: str) -> None:
        self._host = urlsplit(base_url).netloc

    def now(self) -> datetime:
        """Return the emulator's time."""
        return self._asked("GET", None)

    async def sleep(self, seconds: float) -> None:
        """Wait until so much of the emulator's time has passed."""
        until = self.now().timestamp() + seconds
        left = seconds
        while left > 0:
            await asyncio.sleep(min(left, POLL_SECONDS))
            left = until - self.now().timestamp()

    def move_to(self, moment: datetime) -> None:
        """Move the emulator's time forward to a moment, unless it is past that."""
        ahead = (moment - self.now()).total_seconds()
        if ahead > 0:
            self._asked("POST", json.dumps({"advance_seconds": ahead}))

    def _asked(self, method: str, body: str | None) -> datetime:
        with closing(http.client.HTTPConnection(self._host)) as connection:
            connection.request(method, "/_emulator/clock", body)
            return datetime.fromisoformat(json.loads(connection.getresponse().read())["now"])


class NightClock:
    """The time of an emulator that stands still but for this: to sleep is to move it on.

    What a client needs for its own work takes no time, so that no bill depends on the machine. It begins at
    the next NIGHT_BEGINS: when batches are due does not depend on the hour of the bench either.
    """

    def __init__(self, base_url: str) -> None:
        self._clock = EmulatorClock(base_url)
        now = self._clock.now()
        evening = datetime.combine(now.astimezone(UTC), NIGHT_BEGINS)
        self._clock.move_to(evening if evening >= now else evening + timedelta(days=1))
        self._now = self._clock.now()

    def now(self) -> datetime:
        """Return the emulator's time."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Let so much time pass at once."""
        self._clock.move_to(self._now + timedelta(seconds=seconds))
        self._now = self._clock.now()
        await asyncio.sleep(0)
