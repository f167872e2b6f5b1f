"""Work in a transaction that is tried again when the server drops it, until it says nothing for too long."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from core.clock import Clock
from core.errors import NotReady

COMMIT_TRIES = 5
COMMIT_PAUSE_SECONDS = 0.5  # doubled with each try
DATABASE_WENT_AWAY = (
    "The database went away during the run. What was claimed is free again when its lease ends, and figures "
    "that could not be booked wait in the spool. Start the database, then run `touchline summarize` again."
)
T = TypeVar("T")

logger = logging.getLogger("touchline.transactions")


class Transactions:
    """The database as a run uses it; once it stays away, `failure` is set and `went_away` is called."""

    def __init__(
        self, engine: AsyncEngine, clock: Clock, went_away: Callable[[], None] | None = None
    ) -> None:
        self.engine = engine
        self.failure: NotReady | None = None
        self._clock = clock
        self._went_away = went_away

    async def commit(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do work in one transaction, again when the server drops it.

        Raises NotReady when the database stays away. The work must not mind being done twice.
        """
        for tries in range(COMMIT_TRIES):
            try:
                async with self.engine.begin() as connection:
                    return await work(connection)
            except OperationalError as error:
                logger.warning("the database ended a transaction: %s", type(error.orig).__name__)
                await self._clock.sleep(COMMIT_PAUSE_SECONDS * 2**tries)
        self.failure = self.failure or NotReady(DATABASE_WENT_AWAY)
        if self._went_away is not None:
            self._went_away()
        raise self.failure
