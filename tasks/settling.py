"""Settle results of a batch together in one transaction, and one by one what cannot be settled so."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.batches import BatchedAttempt
from models import ai_usage_log, insight
from tasks.ledger import settle, tell_settled
from tasks.logs import about
from tasks.results import Read, attempts_to_settle, read_result, unreadable_result
from tasks.run import Run
from tasks.summaries import store_summaries

CANNOT_BE_SETTLED = (DBAPIError, ValueError, TypeError, ArithmeticError)  # of a result that makes no sense

logger = logging.getLogger("touchline.batches")


async def settle_group(run: Run, batch: sa.Row[Any], results: Mapping[str, Any], late: bool) -> None:
    """Settle results in one transaction; when the database refuses it, each half by itself, down to one."""

    async def settle_all(connection: AsyncConnection) -> list[Read]:
        return await _settle(run, connection, batch, results, late)

    try:
        settled = await run.commit(settle_all)
    except OperationalError:
        raise
    except CANNOT_BE_SETTLED as error:
        if len(results) == 1:
            await _settle_carefully(run, batch, results, late, error)
            return
        items = list(results.items())
        for half in (items[: len(items) // 2], items[len(items) // 2 :]):
            await settle_group(run, batch, dict(half), late)
        return
    for one in sorted(settled, key=lambda one: not one.answered):  # they come in no order
        with about(attempt_id=one.attempt.attempt_id, insight_ids=list(one.effects)):
            tell_settled(one.settlement, one.effects)
        one.tell(run, claimed_by_us=batch.run_id == run.run_id)


async def _settle(
    run: Run, connection: AsyncConnection, batch: sa.Row[Any], results: Mapping[str, Any], late: bool
) -> list[Read]:
    attempts = await attempts_to_settle(connection, batch.batch_id, results)
    rosters = await run.rosters.of(connection, {attempt.organization_id for attempt in attempts})
    settled = [
        read_result(run, attempt, results[attempt.attempt_id], rosters[attempt.organization_id], late=late)
        for attempt in attempts
    ]
    after = [one.row(insight_id) for read in settled for insight_id, one in read.effects.items()]
    made = [one.summary for read in settled for one in read.effects.values() if one.summary]
    figures = [read.settlement.figures() for read in settled]
    if made:
        await store_summaries(connection, made, revocation=run.settings.revocation)
    if after:
        await connection.execute(insight.QUERIES["take_out_of_batch"], {"conclusions": _json(after)})
    if figures:
        await connection.execute(ai_usage_log.QUERIES["settle_many"], {"settlements": _json(figures)})
    return settled


async def _settle_carefully(
    run: Run, batch: sa.Row[Any], results: Mapping[str, Any], late: bool, error: Exception
) -> None:
    """Settle one result as a live answer is: what the database refuses parks the insight, or is spooled.

    What cannot even be read is lost, and its insights go on without an answer.
    """
    (attempt_id,) = results
    # Only named: what the error says may quote a row, and so a text about a child.
    refusal = type(error.orig if isinstance(error, DBAPIError) else error).__name__
    logger.error("the result of %s cannot be settled with others: %s", attempt_id, refusal)

    async def read(connection: AsyncConnection) -> list[BatchedAttempt]:
        return await attempts_to_settle(connection, batch.batch_id, results)

    for attempt in await run.commit(read):
        try:
            roster = await run.rosters.of_one(attempt.organization_id)
            one = read_result(run, attempt, results[attempt_id], roster, late=late)
            effects = await settle(run, one.settlement, one.effects)
        except OperationalError:
            raise
        except CANNOT_BE_SETTLED:
            one = unreadable_result(run, attempt)
            effects = await settle(run, one.settlement, one.effects)
        replace(one, effects=effects).tell(run, claimed_by_us=batch.run_id == run.run_id)


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(rows, default=str)
