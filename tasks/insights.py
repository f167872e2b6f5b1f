"""Insights of a run: claim what is due, and give back what is left."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.categories import SENSITIVE_WORDS
from core.plan import ClaimedInsight
from core.prompt import EARLIER_SUMMARIES_MAX
from core.states import InsightState, Tone
from models.insight import QUERIES
from tasks.run import Run

logger = logging.getLogger("touchline.insights")


async def claim_insights(run: Run, organization_id: str | None, insight_limit: int) -> list[ClaimedInsight]:
    """Lease up to `insight_limit` insights to this run, the players who have waited longest first.

    Before that, claims whose lease has ended are taken back, and coaches' switches are read afresh.
    """
    now = run.clock.now()
    due = {
        "now": now,
        "organization_id": organization_id,
        "insight_limit": insight_limit,
        "holder": run.holder,
        "lease_until": lease_end(run),
        "sensitive_words": list(SENSITIVE_WORDS),
    }

    async def claim(connection: AsyncConnection) -> tuple[Sequence[Row[Any]], Sequence[Row[Any]]]:
        await connection.execute(QUERIES["release_ended"], due)
        await connection.execute(QUERIES["switch_back"], due)
        skipped = await connection.execute(QUERIES["switch_off"], due)
        claimed = (await connection.execute(QUERIES["claim"], due)).scalars().all()
        wanted = asked_for_prompts(claimed, rehearsal=run.settings.rehearsal)
        return skipped.all(), (await connection.execute(QUERIES["for_prompt"], wanted)).all()

    skipped, claimed = await run.commit(claim)
    insights = [insight_of(row) for row in claimed]
    run.took(insight.id for insight in insights)
    for row in skipped:
        run.concluded(InsightState.SKIPPED, row.state_reason, row.insights)
    return insights


def asked_for_prompts(insight_ids: Sequence[str], *, rehearsal: bool) -> dict[str, Any]:
    """Return the parameters of the query that reads what prompts need."""
    return {
        "insight_ids": list(insight_ids),
        "rehearsal": rehearsal,
        "earlier_summaries_max": EARLIER_SUMMARIES_MAX,
    }


def insight_of(row: Row[Any]) -> ClaimedInsight:
    """Turn a row of that query into the value that is planned with."""
    changed = {"tone": Tone(row.tone), "earlier_summaries": tuple(row.earlier_summaries)}
    return ClaimedInsight(**{**row._mapping, **changed})


def lease_end(run: Run) -> datetime:
    """Return when a claim that is made or proved now will end."""
    return run.clock.now() + timedelta(seconds=run.settings.lease_seconds)


async def give_back_claims(run: Run) -> None:
    """End what this run still holds: deferred when a limit or an outage stopped it, else back to pending."""
    now, state, reason, not_before = run.clock.now(), InsightState.PENDING, None, None
    if run.stopped is not None and run.stopped.after_seconds is not None:
        state, reason = InsightState.DEFERRED, run.stopped.cause
        not_before = now + timedelta(seconds=run.stopped.after_seconds)
    ending = {
        "holder": run.holder,
        "now": now,
        "state": state,
        "state_reason": reason,
        "not_before": not_before,
    }
    try:
        async with run.engine.begin() as connection:
            insights = (await connection.execute(QUERIES["give_back"], ending)).scalar_one()
    except OperationalError:
        # What ended the run is told by its own error; the leases end by themselves.
        logger.warning("the database is away: the claims of run %s stay until their leases end", run.run_id)
        return
    if insights:
        run.concluded(state, reason, insights)
