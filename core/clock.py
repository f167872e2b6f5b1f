"""What a clock is: nothing below the flows reads the time in any other way."""

from datetime import datetime
from typing import Protocol, runtime_checkable


@runtime_checkable  # Prefect makes a schema of a flow's parameters, which needs isinstance
class Clock(Protocol):
    """Gives the time and passes it; a test or a bench gives one that follows the emulator's."""

    def now(self) -> datetime:
        """Return the present instant, with its offset from UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""
        ...
