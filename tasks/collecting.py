"""Collect message batches: look at those that are open, and settle what has ended, item by item, once."""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.batches import POLL_SECONDS_FIRST, kept_warm, next_pause, prefix_path
from core.retry import Stop, next_step
from core.states import BatchKind, BatchState, InsightState, Outcome
from core.usage import Usage
from models.message_batch import QUERIES
from tasks.batch_api import VendorBatch, batches_since, cancel_batch, look_at_batch, read_results
from tasks.batches import close_without_results
from tasks.claude import CallFailed
from tasks.logs import about
from tasks.run import Run
from tasks.settling import settle_group
from tasks.together import a_few_at_a_time
from tasks.unheard import CLOCKS_DIFFER, find_out

RESULTS_AT_ONCE = 500
GROUPS_AT_ONCE = 2  # the next is read and judged while the database writes the one before
COLLECTOR_LEASE = timedelta(minutes=10)
BELIEVED_AFTER = timedelta(hours=1)  # that the API knows a batch no more, or that a line is broken
RENEW_AFTER = timedelta(minutes=1)
WORKED_WITHIN = timedelta(minutes=10)  # a small batch's items begin at most so long before its end
GIVE_UP_AFTER = timedelta(hours=1)  # after the time at which a batch was due: a later run collects it

DUE = "due"  # why a batch was cancelled: the live lane is to do the rest
BatchRow = sa.Row[Any]

logger = logging.getLogger("touchline.batches")


async def wait_until_collected(run: Run, batch_ids: Sequence[str], patience: timedelta | None = None) -> bool:
    """Look at these batches, at growing intervals, until all are collected or the patience is over.

    Returns whether all ended by themselves: what was cut short is not to be sent again at once.
    """
    began_at, pause = run.clock.now(), POLL_SECONDS_FIRST
    while unfinished := await look_at_all(run, batch_ids):
        await run.progress.tell()
        now = run.clock.now()
        last = max(batch.due_at for batch in unfinished) + GIVE_UP_AFTER
        if run.stopped or now >= last or (patience is not None and now >= began_at + patience):
            return False
        due = min((batch.due_at for batch in unfinished if not batch.canceled_at), default=last)
        until_due = (due - now).total_seconds()
        await run.clock.sleep(min(pause, until_due) if until_due > 0 else pause)
        pause = next_pause(pause)
    return not await were_canceled(run, batch_ids)


async def look_at_all(run: Run, batch_ids: Sequence[str] | None = None) -> Sequence[BatchRow]:
    """Look once at these batches, or at all that are open; gives those that still are."""
    for batch in await unfinished_batches(run, batch_ids):
        try:
            with about(batch_id=batch.batch_id):
                await _look_at(run, batch)
        except CallFailed as failed:
            logger.warning("batch %s could not be looked at (%s)", batch.batch_id, failed)
            step = next_step(failed.failure, 1, 0.0)
            if isinstance(step, Stop) and failed.failure.status != 404:
                run.stopped = run.stopped or step
    return await unfinished_batches(run, batch_ids)


async def unfinished_batches(run: Run, batch_ids: Sequence[str] | None) -> Sequence[BatchRow]:
    """Return these batches, or all of the account, as far as something is still to be heard of them."""
    asked = {"account": run.settings.account, "batch_ids": None if batch_ids is None else list(batch_ids)}

    async def read(connection: AsyncConnection) -> Sequence[BatchRow]:
        return (await connection.execute(QUERIES["unfinished"], asked)).all()

    return await run.commit(read)


async def were_canceled(run: Run, batch_ids: Sequence[str]) -> bool:
    """Say whether somebody has asked to end any of these, before it was due."""
    asked = {"batch_ids": list(batch_ids)}

    async def read(connection: AsyncConnection) -> bool:
        return (await connection.execute(QUERIES["any_canceled"], asked)).first() is not None

    return await run.commit(read)


async def _look_at(run: Run, batch: BatchRow) -> None:
    if batch.state == BatchState.SENT:
        await find_out(run, batch)
        return
    try:
        seen = await look_at_batch(run.client, batch.vendor_id)
        if seen.canceled and not batch.canceled_at:
            await _note(run, "canceled", batch, "elsewhere")
        if seen.ended_at is not None:
            await _collect(run, batch, seen)
        elif run.clock.now() >= batch.due_at and not batch.canceled_at:
            await cancel(run, batch, DUE)
    except CallFailed as failed:
        young = run.clock.now() < batch.opened_at + BELIEVED_AFTER
        if failed.failure.status != 404 or young or await _is_listed(run, batch):
            raise
        logger.error("the API has forgotten batch %s: its calls are lost", batch.batch_id)
        await close_without_results(run, batch.batch_id, BatchState.MISSING, Outcome.LOST, "batch_forgotten")


async def _is_listed(run: Run, batch: BatchRow) -> bool:
    """Say whether the API still lists a batch that it has just not found."""
    listed = await batches_since(run.client, batch.created_at - CLOCKS_DIFFER)
    return any(one.id == batch.vendor_id for one in listed)


async def cancel(run: Run, batch: BatchRow, reason: str) -> None:
    """Have the API end a batch, and note why: before, lest a crash forget it. Raises CallFailed."""
    await _note(run, "canceling", batch, reason)
    await cancel_batch(run.client, batch.vendor_id)
    await _note(run, "canceled", batch, reason)


async def _note(run: Run, query: str, batch: BatchRow, reason: str) -> None:
    async def write(connection: AsyncConnection) -> None:
        values = {"batch_id": batch.batch_id, "now": run.clock.now(), "reason": reason}
        await connection.execute(QUERIES[query], values)

    await run.commit(write)


async def _collect(run: Run, batch: BatchRow, seen: VendorBatch) -> None:
    """Settle every result; a part that was settled before is passed over. Raises CallFailed."""
    leased = await _lease(run, batch.batch_id)
    if leased is None:
        return  # somebody else is at it
    late = leased.cancel_reason == DUE
    if not seen.readable:
        await close_without_results(run, batch.batch_id, BatchState.MISSING, Outcome.LOST, "batch_archived")
        return
    await _settle_all(run, batch, seen, late)
    if batch.kind == BatchKind.PRIME:
        await _note_warm(run, batch, seen)
    ending = {
        "batch_id": batch.batch_id,
        "now": run.clock.now(),
        "outcome": Outcome.LOST,
        "outcome_reason": "result_missing",
        "state": InsightState.PENDING,
        "state_reason": "result_missing",
        "not_before": None,
        "missed_due": late,
        "unusable": 1,
    }

    async def close(connection: AsyncConnection) -> None:
        await connection.execute(QUERIES["end_unsettled"], ending)
        closing = {"state": BatchState.COLLECTED, "ended_at": seen.ended_at}
        await connection.execute(QUERIES["closed"], ending | closing)

    try:
        await run.commit(close)
        logger.info("batch collected: %d requests", batch.requests)
    except OperationalError:
        raise
    except DBAPIError as error:
        refusal = type(error.orig).__name__
        logger.error("the ledger refuses to close batch %s (%s): it stays open", batch.batch_id, refusal)


async def _settle_all(run: Run, batch: BatchRow, seen: VendorBatch, late: bool) -> None:
    """Settle all results; when they break off, what was read before is settled. Raises CallFailed."""
    broken, leased_at = None, run.clock.now()
    old = seen.ended_at is not None and leased_at > seen.ended_at + BELIEVED_AFTER
    async with (
        aclosing(_groups(run, batch.vendor_id, pass_over=old)) as groups,
        a_few_at_a_time(GROUPS_AT_ONCE) as few,
    ):
        try:
            async for group in groups:
                await few.start(settle_group(run, batch, group, late))
                await run.progress.tell()
                if run.clock.now() - leased_at > RENEW_AFTER:
                    leased_at = run.clock.now()
                    await _lease(run, batch.batch_id)
        except CallFailed as failed:
            broken = failed
    if broken is not None:
        raise broken


async def _lease(run: Run, batch_id: str) -> BatchRow | None:
    """Become or stay the one who collects a batch; None while somebody else does."""
    now = run.clock.now()
    asked = {
        "batch_id": batch_id,
        "collector": run.holder,
        "collector_until": now + COLLECTOR_LEASE,
        "now": now,
    }

    async def lease(connection: AsyncConnection) -> BatchRow | None:
        return (await connection.execute(QUERIES["lease"], asked)).first()

    return await run.commit(lease)


async def _groups(run: Run, vendor_id: str, *, pass_over: bool) -> AsyncGenerator[dict[str, Any]]:
    """Give results by custom_id, some hundreds at a time."""
    group: dict[str, Any] = {}
    async with aclosing(read_results(run.client, vendor_id, pass_over=pass_over)) as lines:
        async for line in lines:
            group[line["custom_id"]] = line.get("result")
            if len(group) >= RESULTS_AT_ONCE:
                yield group
                group = {}
    if group:
        yield group


async def _note_warm(run: Run, batch: BatchRow, seen: VendorBatch) -> None:
    """Note which prefixes the calls of a prime have made warm."""

    async def read(connection: AsyncConnection) -> Sequence[sa.Row[Any]]:
        asked = {"batch_ids": [batch.batch_id]}
        return (await connection.execute(QUERIES["calls_of"], asked)).all()

    warm: set[str] = set()
    for call in await run.commit(read):
        usage = Usage(
            call.input_tokens,
            call.cache_read_tokens,
            call.cache_write_5m_tokens,
            call.cache_write_1h_tokens,
        )
        warm.update(kept_warm(prefix_path(batch.prefixes, call.prefix_key)[: call.marked], usage))
    if warm and seen.ended_at is not None:
        started_at = max(seen.created_at, seen.ended_at - WORKED_WITHIN)
        await run.warmth.written(sorted(warm), "1h", started_at)
