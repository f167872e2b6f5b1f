"""The system's clock, which flows use when they are given no other; and ids in the order of time."""

import asyncio
import secrets
from datetime import UTC, datetime

from core.identity import NOISE_BITS, time_ordered_id


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds."""
        await asyncio.sleep(seconds)


def new_id(at: datetime) -> str:
    """Return an id for what happens at a time; ids are in the order of their times."""
    return time_ordered_id(at, secrets.randbits(NOISE_BITS))
