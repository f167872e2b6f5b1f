"""Batches whose sender never heard whether the API has them: find out, and send nothing twice.

The API tells a batch's items only in its results. So whatever could be the batch, by time and number of
requests, is waited for, and its first result says whose it is; only when none is left was it never created.
"""

import logging
from contextlib import aclosing
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from core.states import BatchState, Outcome
from models.message_batch import QUERIES
from tasks.batch_api import VendorBatch, batches_since, read_results
from tasks.batches import close_without_results
from tasks.run import Run

CLOCKS_DIFFER = timedelta(minutes=10)  # the API's and ours, at most
LISTED_AFTER = timedelta(minutes=1)  # until then a new batch need not be in the API's list yet

logger = logging.getLogger("touchline.batches")


async def find_out(run: Run, batch: sa.Row[tuple[object, ...]]) -> None:
    """Look where a batch is that nobody has heard of; it stays as it is until that is certain.

    Raises CallFailed when the API does not answer.
    """
    now = run.clock.now()
    if now < batch.sent_until:
        return  # its sender may be waiting for the answer
    waiting = False
    for candidate in await _candidates(run, batch):
        if candidate.ended_at is None:
            waiting = True
        elif await _is_it(run, batch.batch_id, candidate):
            await _found(run, batch.batch_id, candidate)
            return
    if not waiting and now >= batch.sent_until + LISTED_AFTER:
        logger.warning("batch %s was never created; its insights are free again", batch.batch_id)
        reason = "batch_not_created"
        await close_without_results(run, batch.batch_id, BatchState.MISSING, Outcome.REJECTED, reason)


async def _candidates(run: Run, batch: sa.Row[tuple[object, ...]]) -> list[VendorBatch]:
    """Return what could be the batch: of the right time and size, and not known as another of ours."""
    until = batch.sent_until + CLOCKS_DIFFER
    found = [
        one
        for one in await batches_since(run.client, batch.created_at - CLOCKS_DIFFER)
        if one.created_at <= until and one.requests == batch.requests
    ]
    asked = {"account": run.settings.account, "vendor_ids": [one.id for one in found]}

    async def read(connection: AsyncConnection) -> set[str]:
        return set((await connection.execute(QUERIES["vendor_ids"], asked)).scalars())

    known = await run.commit(read)
    return [one for one in found if one.id not in known]


async def _is_it(run: Run, batch_id: str, candidate: VendorBatch) -> bool:
    """Say whether the first result is of one of the batch's items: their ids are nobody else's."""
    if not candidate.readable:
        return False
    async with aclosing(read_results(run.client, candidate.id)) as lines:
        async for line in lines:

            async def read(connection: AsyncConnection, attempt_id: str = line["custom_id"]) -> str | None:
                owner = await connection.execute(QUERIES["owner_of"], {"attempt_id": attempt_id})
                return owner.scalar()

            return await run.commit(read) == batch_id
    return False


async def _found(run: Run, batch_id: str, candidate: VendorBatch) -> None:
    opened = {"batch_id": batch_id, "vendor_id": candidate.id, "opened_at": candidate.created_at}

    async def write(connection: AsyncConnection) -> None:
        await connection.execute(QUERIES["opened"], opened)

    await run.commit(write)
