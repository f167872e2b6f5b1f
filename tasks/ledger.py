"""The ledger's two steps: an attempt is recorded before it is sent, and settled with its result after."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.errors import BooksDisagree, NotReady
from core.settlement import Attempt, Settlement
from core.states import InsightState, Lane, Outcome, ServiceTier
from models import insight, summary
from models.ai_usage_log import QUERIES, AiUsageInsight, AiUsageLog
from tasks.insights import lease_end
from tasks.run import DATABASE_WENT_AWAY, Run
from tasks.spool import spool

OPERATION = "parent_summary"
SETTLE_TRIES = 5
SETTLE_PAUSE_SECONDS = 1.0  # doubled with each try

logger = logging.getLogger("touchline.ledger")


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What becomes of the insight, with the row of its summary when it has one."""

    state: InsightState
    reason: str | None = None
    not_before: datetime | None = None
    summary: dict[str, Any] | None = None


async def record_sent(run: Run, attempt: Attempt) -> bool:
    """Commit the attempt as `sent`; False, and nothing recorded, when the insight is no longer ours."""
    held = {
        "insight_id": attempt.call.insight.id,
        "run_id": run.run_id,
        "lease_until": lease_end(run),
    }
    async with run.engine.begin() as connection:
        if (await connection.execute(insight.QUERIES["hold"], held)).rowcount == 0:
            return False
        await connection.execute(sa.insert(AiUsageLog), _sent_row(run, attempt))
        await connection.execute(
            sa.insert(AiUsageInsight),
            {"attempt_id": attempt.attempt_id, "insight_id": attempt.call.insight.id},
        )
    return True


def _sent_row(run: Run, attempt: Attempt) -> dict[str, Any]:
    about = attempt.call.insight
    return {
        "attempt_id": attempt.attempt_id,
        "call_id": attempt.call_id,
        "occurred_at": attempt.occurred_at,
        "recorded_at": attempt.occurred_at,
        "organization_id": about.organization_id,
        "coach_id": about.coach_id,
        "player_id": about.player_id,
        "operation": OPERATION,
        "model": attempt.call.model,
        "lane": Lane.LIVE,
        "service_tier": ServiceTier.STANDARD,
        "estimated_cost_usd": attempt.estimate.cost_usd,
        "price_version": attempt.estimate.price_version,
        "outcome": Outcome.SENT,
        "prompt_version": attempt.call.prompt_version,
        "flow_run_id": run.run_id,
    }


async def settle(run: Run, settlement: Settlement, insight_id: str, conclusion: Conclusion | None) -> bool:
    """Commit an attempt's result in one transaction: summary, ledger row, state of the insight.

    Without a `conclusion` the insight stays claimed for another attempt. Returns False when the claim
    was no longer ours, so that the answer is paid for but not used. A ledger that refuses the figures
    costs neither them nor the summary: they go to the spool. A database that stays away costs the
    answer: the figures are spooled and NotReady is raised.
    """
    for tries in range(SETTLE_TRIES):
        try:
            async with run.engine.begin() as connection:
                return await _settle_once(run, connection, settlement, insight_id, conclusion)
        except DBAPIError as error:
            if not (error.connection_invalidated or isinstance(error, OperationalError)):
                # Not chained: the server's message may quote the row, and so the text about a child.
                raise BooksDisagree(
                    f"the database refuses the result of {settlement.attempt_id}: {type(error.orig).__name__}"
                ) from None
            logger.warning("the database went away while settling %s", settlement.attempt_id)
            await run.clock.sleep(SETTLE_PAUSE_SECONDS * 2**tries)
    spool(run.settings.home, settlement.figures())
    raise NotReady(DATABASE_WENT_AWAY)


async def _settle_once(
    run: Run,
    connection: AsyncConnection,
    settlement: Settlement,
    insight_id: str,
    conclusion: Conclusion | None,
) -> bool:
    used = conclusion is None or await _conclude(run, connection, insight_id, conclusion)
    figures = settlement.figures()
    if not used and settlement.outcome == Outcome.SUCCEEDED:
        figures |= {"outcome": Outcome.UNUSABLE, "outcome_reason": "claim_lost"}
    try:
        async with connection.begin_nested():
            await connection.execute(QUERIES["settle"], figures)
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        logger.error("the ledger refused %s (%s): spooled", settlement.attempt_id, type(error.orig).__name__)
        spool(run.settings.home, figures)
    return used


async def _conclude(run: Run, connection: AsyncConnection, insight_id: str, conclusion: Conclusion) -> bool:
    ending = {
        "insight_id": insight_id,
        "run_id": run.run_id,
        "state": conclusion.state,
        "state_reason": conclusion.reason,
        "not_before": conclusion.not_before,
    }
    if (await connection.execute(insight.QUERIES["finish"], ending)).rowcount == 0:
        return False
    if conclusion.summary is not None:
        await connection.execute(summary.QUERIES["store"], conclusion.summary)
    return True
