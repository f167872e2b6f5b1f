"""The ledger's two steps: an attempt is recorded before it is sent, and settled with its result after."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.settlement import Attempt, Settlement
from core.states import InsightState, Outcome
from models import insight
from models.ai_usage_log import QUERIES, AiUsageInsight, AiUsageLog
from tasks.insights import lease_end
from tasks.run import Run
from tasks.spool import spool
from tasks.summaries import store_summaries

OPERATION = "parent_summary"

logger = logging.getLogger("touchline.ledger")


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What becomes of the insight, with the row of its summary when it has one.

    `from_batch`: a batch owns it, not a claim of this run.
    """

    state: InsightState
    reason: str | None = None
    not_before: datetime | None = None
    summary: dict[str, Any] | None = None
    from_batch: bool = False
    missed_due: bool = False
    unusable: bool = False

    def parked(self, reason: str) -> "Conclusion":
        """Return what becomes of the insight instead when the database does not take the rest."""
        return Conclusion(InsightState.PARKED, reason, from_batch=self.from_batch)

    def row(self, insight_id: str) -> dict[str, Any]:
        """Return what an insight that is taken out of its batch gets, by column."""
        return {
            "insight_id": insight_id,
            "state": self.state,
            "state_reason": self.reason,
            "not_before": self.not_before,
            "missed_due": self.missed_due,
            "unusable_answers": int(self.unusable),
        }


Conclusions = Mapping[str, Conclusion]  # by insight; one without stays claimed


async def record_sent(run: Run, attempt: Attempt) -> tuple[str, ...]:
    """Commit the attempt as `sent`; gives those of its insights that are still ours, and links no other."""
    asked = [insight.id for insight in attempt.call.insights]

    async def record(connection: AsyncConnection) -> tuple[str, ...]:
        holding = {"insight_ids": asked, "holder": run.holder, "lease_until": lease_end(run)}
        held = (await connection.execute(insight.QUERIES["hold"], holding)).all()
        if not held:
            return ()
        row = sent_row(run, attempt) | {"coach_id": held[0].coach_id}
        await connection.execute(pg.insert(AiUsageLog).on_conflict_do_nothing(), row)
        links = [{"attempt_id": attempt.attempt_id, "insight_id": one.id} for one in held]
        await connection.execute(pg.insert(AiUsageInsight).on_conflict_do_nothing(), links)
        return tuple(one.id for one in held)

    return await run.commit(record)


def sent_row(run: Run, attempt: Attempt, operation: str = OPERATION) -> dict[str, Any]:
    """Return the ledger row of an attempt that is about to be sent."""
    about = attempt.call.about
    return {
        "attempt_id": attempt.attempt_id,
        "call_id": attempt.call_id,
        "occurred_at": attempt.occurred_at,
        "recorded_at": attempt.occurred_at,
        "organization_id": about.organization_id,
        "coach_id": about.coach_id,
        "player_id": about.player_id,
        "operation": operation,
        "model": attempt.call.model,
        "lane": attempt.call.lane,
        "service_tier": attempt.service_tier,
        "estimated_cost_usd": attempt.estimate.cost_usd,
        "price_version": attempt.estimate.price_version,
        "outcome": Outcome.SENT,
        "prompt_version": attempt.call.prompt_version,
        "flow_run_id": run.run_id,
    }


async def settle(run: Run, settlement: Settlement, conclusions: Conclusions) -> Conclusions:
    """Commit an attempt's result in one transaction: summaries, ledger row, states of the insights.

    An insight without a conclusion stays claimed for another attempt. Returns the conclusions that took
    effect: without those whose claim was no longer ours, so that their answers are paid for but not used;
    parked when the database refuses a summary itself. A ledger that refuses the figures costs neither them
    nor the summaries: they go to the spool, and so do figures that could not be booked for any other reason.
    """
    booked = False
    try:
        try:
            effects = await _book(run, settlement, conclusions)
        except DBAPIError as error:
            # Not chained, only named: the server's message may quote the row, and so a text about a child.
            refusal = type(error.orig).__name__
            logger.error("the database refuses the result of %s: %s", settlement.attempt_id, refusal)
            effects = await _book_one_by_one(run, settlement, conclusions)
        booked = True
        tell_settled(settlement, effects)
        return effects
    finally:
        if not booked:
            _spool_or_tell(run, settlement.unused("answer_lost").figures())


def tell_settled(settlement: Settlement, effects: Conclusions) -> None:
    """Log what an attempt came to: a good answer for whoever debugs, anything else for whoever runs it."""
    usage, good = settlement.usage, settlement.outcome is Outcome.SUCCEEDED
    logger.log(
        logging.DEBUG if good else logging.INFO,
        "attempt %s: %s%s; %d tokens in (%d read, %d written), %d out, $%s, %s ms",
        settlement.outcome,
        ", ".join(sorted({str(effect.state) for effect in effects.values()})) or "nothing concluded",
        "" if settlement.outcome_reason is None else f" ({settlement.outcome_reason})",
        usage.total_input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        usage.output_tokens,
        "?" if settlement.cost_usd is None else format(settlement.cost_usd, "f"),
        "?" if settlement.latency_ms is None else settlement.latency_ms,
    )


def _spool_or_tell(run: Run, figures: dict[str, Any]) -> None:
    """Spool figures; when the disk takes none either, the log is told, which is all there is left."""
    try:
        spool(run.settings.home, figures)
    except OSError as error:
        logger.critical("no spool (%s); these figures are in no ledger: %s", error.strerror, figures)


async def _book_one_by_one(run: Run, settlement: Settlement, conclusions: Conclusions) -> Conclusions:
    """Conclude each insight by itself, and park the one whose summary the database refuses."""
    effects: dict[str, Conclusion] = {}
    for insight_id, conclusion in conclusions.items():

        async def conclude(
            connection: AsyncConnection, one: str = insight_id, how: Conclusion = conclusion
        ) -> bool:
            return await _conclude(run, connection, one, how)

        try:
            if await run.commit(conclude):
                effects[insight_id] = conclusion
        except DBAPIError as error:
            logger.error("the database refuses the summary of %s: %s", insight_id, type(error.orig).__name__)
            effects |= await _book(run, None, {insight_id: conclusion.parked("store_refused")})
    used = any(effect.reason != "store_refused" for effect in effects.values())
    await _book(run, settlement if used else settlement.unused("store_refused"), {})
    return effects


async def _book(run: Run, settlement: Settlement | None, conclusions: Conclusions) -> Conclusions:
    """Settle once, in a transaction that is tried again when the server drops it."""

    async def book(connection: AsyncConnection) -> Conclusions:
        effects = {
            insight_id: conclusion
            for insight_id, conclusion in conclusions.items()
            if await _conclude(run, connection, insight_id, conclusion)
        }
        if settlement is None:
            return effects
        used = bool(effects) or not conclusions
        figures = (settlement if used else settlement.unused("claim_lost")).figures()
        try:
            async with connection.begin_nested():
                await connection.execute(QUERIES["settle"], figures)
        except OperationalError:
            raise
        except DBAPIError as error:
            refusal = type(error.orig).__name__
            logger.error("the ledger refuses %s (%s): spooled", settlement.attempt_id, refusal)
            _spool_or_tell(run, figures)
        return effects

    return await run.commit(book)


async def _conclude(run: Run, connection: AsyncConnection, insight_id: str, conclusion: Conclusion) -> bool:
    if conclusion.from_batch:
        query, values = (
            "take_out_of_batch",
            {"conclusions": json.dumps([conclusion.row(insight_id)], default=str)},
        )
    else:
        query, values = "finish", _ending(run, insight_id, conclusion)
    if (await connection.execute(insight.QUERIES[query], values)).rowcount == 0:
        return False
    if conclusion.summary is not None:
        await store_summaries(connection, [conclusion.summary], revocation=run.settings.revocation)
    return True


def _ending(run: Run, insight_id: str, conclusion: Conclusion) -> dict[str, Any]:
    return {
        "insight_id": insight_id,
        "holder": run.holder,
        "state": conclusion.state,
        "state_reason": conclusion.reason,
        "not_before": conclusion.not_before,
    }
