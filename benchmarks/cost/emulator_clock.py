"""A clock that shows the emulator's time, whatever its speed and however it is moved."""

import asyncio
import http.client
import json
from contextlib import closing
from datetime import datetime
from urllib.parse import urlsplit

POLL_SECONDS = 0.02


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
