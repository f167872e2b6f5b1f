"""The names of a club's people, by which the screen finds others than the child."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from core.clock import Clock
from core.roster import Roster
from models.player import QUERIES
from tasks.transactions import Transactions

READ_AGAIN_AFTER = timedelta(minutes=5)  # people come while a night waits for its batches


class Rosters:
    """Rosters by organization, each read again every few minutes."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock
        self._kept: dict[str, Roster] = {}
        self._read_at: dict[str, datetime] = {}

    async def of_one(self, organization_id: str) -> Roster:
        """Return the roster of an organization, read in a transaction of its own when it is not fresh."""
        if self._stale({organization_id}):

            async def read(connection: AsyncConnection) -> None:
                await self.of(connection, {organization_id})

            await self._transactions.commit(read)
        return self._kept[organization_id]

    def kept(self, organization_id: str) -> Roster:
        """Return the roster that was read last: an answer that is paid for must not wait for the database.

        Raises KeyError when none was.
        """
        return self._kept[organization_id]

    async def of(
        self, connection: AsyncConnection, organization_ids: Collection[str]
    ) -> Mapping[str, Roster]:
        """Return the rosters of these organizations: players, coaches and guardians."""
        if stale := self._stale(organization_ids):
            names: dict[str, list[tuple[str, str | None]]] = {one: [] for one in stale}
            for row in await connection.execute(QUERIES["people"], {"organization_ids": stale}):
                names[row.organization_id].append((row.first_name, row.last_name))
            self._kept |= {one: Roster(people) for one, people in names.items()}
            self._read_at |= dict.fromkeys(stale, self._clock.now())
        return self._kept

    def _stale(self, organization_ids: Collection[str]) -> list[str]:
        fresh_from = self._clock.now() - READ_AGAIN_AFTER
        read_at = self._read_at
        return [one for one in organization_ids if one not in read_at or read_at[one] < fresh_from]
