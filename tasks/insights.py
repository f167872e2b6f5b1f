"""Insights of a run: claim what is due, and give back what is left."""

import logging
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.categories import SENSITIVE_WORDS
from core.claimed import ClaimedInsight
from core.club import GENERATION
from core.plan import RunPlan
from core.prompt import EARLIER_SUMMARIES_MAX
from core.states import InsightState, Tone
from core.survey import Group
from models.insight import QUERIES
from models.setting import QUERIES as SETTING
from tasks.run import Run
from tasks.surveys import Scope

PAGE_INSIGHTS = 300  # claimed at once: what a run holds does not grow with what is due
GENERATION_OFF = "generation_off"  # why insights are deferred where the kill switch is off
CLAIM_LOCK = 4_217_002  # any number that nothing else in the database uses

logger = logging.getLogger("touchline.insights")


async def refresh_switches(run: Run, organization_id: str | None) -> None:
    """Take back claims whose lease has ended, and read all switches afresh."""
    due = {
        "now": run.clock.now(),
        "organization_id": organization_id,
        "sensitive_words": list(SENSITIVE_WORDS),
    }

    async def refresh(connection: AsyncConnection) -> tuple[Row[Any], Sequence[Row[Any]], int]:
        ended = (await connection.execute(QUERIES["release_ended"], due)).one()
        await connection.execute(QUERIES["switch_back"], due)
        skipped = (await connection.execute(QUERIES["switch_off"], due)).all()
        return ended, skipped, (await connection.execute(QUERIES["generation_off"], due)).rowcount

    ended, skipped, deferred = await run.commit(refresh)
    if ended.insights:
        logger.warning(
            "leases have ended: %d insights are due again, %d calls that were in flight are lost",
            ended.insights,
            ended.attempts,
        )
    for row in skipped:
        run.concluded_unasked(InsightState.SKIPPED, row.state_reason, row.insights)
    if deferred:
        run.concluded_unasked(InsightState.DEFERRED, GENERATION_OFF, deferred)


async def claim_pages(run: Run, plan: RunPlan, scope: Scope) -> AsyncIterator[list[ClaimedInsight]]:
    """Lease what is due page by page in the plan's order, the players who have waited longest first.

    Ends when nothing is left that others do not hold, the scope's limit is reached, or the run is stopped.
    """
    for group in plan.order:
        while wanted := run.wanted(PAGE_INSIGHTS, scope.insight_limit):
            await refresh_switches(run, scope.organization_id)  # a coach may have switched off meanwhile
            page = await claim_page(run, group, scope, wanted)
            if not page:
                break
            yield page


async def claim_page(run: Run, group: Group, scope: Scope, wanted: int) -> list[ClaimedInsight]:
    """Lease up to so many insights of a sport and tone, those of the player who has waited longest first."""
    of_group = {
        "sport": group.sport,
        "tone": group.tone,
        "insight_limit": wanted,
        "holder": run.holder,
        "lease_until": lease_end(run),
    }

    async def claim(connection: AsyncConnection) -> Sequence[Row[Any]]:
        off = (await connection.execute(SETTING["switched_off"], {"name": GENERATION.name})).scalars().all()
        asked = scope.without(off).due(run.clock.now()) | of_group
        await connection.execute(QUERIES["one_at_a_time"], {"lock": CLAIM_LOCK})
        claimed = (await connection.execute(QUERIES["claim"], asked)).all()
        ids = [row.id for row in claimed]
        room = run.wanted(PAGE_INSIGHTS + len(ids), scope.insight_limit) - len(ids)
        if len(claimed) == PAGE_INSIGHTS and room > 0:  # perhaps cut within a player's insights
            of_page = {
                "insight_limit": room,
                "page_player_ids": list({row.player_id for row in claimed}),
                "page_coach_ids": list({row.coach_id for row in claimed}),
            }
            rest = await connection.execute(QUERIES["claim_rest"], asked | of_page)
            ids += rest.scalars().all()
        wanted_texts = asked_for_prompts(ids, rehearsal=run.settings.rehearsal)
        return (await connection.execute(QUERIES["for_prompt"], wanted_texts)).all()

    insights = [insight_of(row) for row in await run.commit(claim)]
    run.took(insight.id for insight in insights)
    if insights:
        logger.info("claimed %d insights: %s, %s", len(insights), group.sport, group.tone)
    return insights


async def give_back_some(run: Run, insight_ids: Collection[str]) -> None:
    """Let go of some of what this run holds, as if it had never claimed them."""
    if not insight_ids:
        return
    some = {"insight_ids": list(insight_ids), "holder": run.holder}

    async def give_back(connection: AsyncConnection) -> None:
        await connection.execute(QUERIES["give_back_some"], some)

    await run.commit(give_back)
    run.claimed -= len(insight_ids)


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


async def give_back_claims(run: Run, scope: Scope) -> None:
    """End what this run still holds: deferred when a limit or an outage stopped it, else back to pending.

    A limit or an outage defers with the same reason what else is due in the scope: nobody would get further.
    """
    now, state, reason, not_before = run.clock.now(), InsightState.PENDING, None, None
    if run.stopped is not None and run.stopped.after_seconds is not None:
        state, reason = InsightState.DEFERRED, run.stopped.cause
        not_before = now + timedelta(seconds=run.stopped.after_seconds)
    ending = scope.due(now) | {
        "holder": run.holder,
        "state": state,
        "state_reason": reason,
        "not_before": not_before,
    }
    try:
        async with run.engine.begin() as connection:
            insights = (await connection.execute(QUERIES["give_back"], ending)).scalar_one()
            if state is InsightState.DEFERRED:
                insights += (await connection.execute(QUERIES["defer_due"], ending)).rowcount
    except OperationalError:
        # What ended the run is told by its own error; the leases end by themselves.
        logger.warning("the database is away: the claims of run %s stay until their leases end", run.run_id)
        return
    if insights:
        run.concluded_unasked(state, reason, insights)
