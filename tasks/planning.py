"""A dry run: what a run of now would call, and what that would cost. Nothing is claimed, nothing is spent."""

import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from itertools import groupby
from operator import attrgetter
from typing import Any

from anthropic import AsyncAnthropic
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from core.claimed import ClaimedInsight
from core.clock import Clock
from core.errors import NotReady
from core.night import ExpectedNight
from core.pages import plan_page
from core.plan import RunPlan, plan_run
from core.plan_report import PlanReport, PlanTally
from core.settings import Settings
from core.states import Lane
from core.survey import Survey
from database.engine import connect_async
from models.insight import QUERIES
from tasks.claude import make_client
from tasks.insights import asked_for_prompts, insight_of
from tasks.limits import Pace
from tasks.primes import stages_to_prime, usual_seconds
from tasks.surveys import Scope, in_reach, survey_due
from tasks.terms import find_terms
from tasks.transactions import Transactions
from tasks.warmth import warmth_in

PAGE_INSIGHTS = 500

logger = logging.getLogger("touchline.planning")


async def plan_due(
    database_url: str, *, settings: Settings, model: str, asked: Scope, clock: Clock
) -> PlanReport:
    """Plan for what is due now, read page by page.

    Lengths that nobody has counted yet are counted, free of charge, when there is an API to ask.
    """
    async with AsyncExitStack() as stack:
        engine = connect_async(database_url, connections=2)
        stack.push_async_callback(engine.dispose)
        client = await _client(settings, stack)
        transactions = Transactions(engine, clock)
        warmth = warmth_in(asked.lane, transactions, account=settings.account, holder="plan", clock=clock)
        scope = await in_reach(transactions, asked, clock.now())
        survey = await survey_due(transactions, warmth, scope, model=model, now=clock.now())
        pace = Pace(transactions, account=settings.account, model=model, clock=clock)
        terms = await find_terms(
            transactions,
            client,
            survey,
            model=model,
            settings=settings,
            pace=pace,
            clock=clock,
            lane=asked.lane,
        )
        plan = plan_run(survey, terms)
        pages = _pages(transactions, plan, scope, settings)
        if asked.lane is Lane.OVERNIGHT:
            return await _night(transactions, plan, survey, pages, settings.account)
        tally, readable = PlanTally(plan, survey.warm), set(survey.warm)
        async for page in pages:
            tally.add(plan_page(page, plan, readable))
        return tally.report()


async def _night(
    transactions: Transactions,
    plan: RunPlan,
    survey: Survey,
    pages: AsyncIterator[list[ClaimedInsight]],
    account: str,
) -> PlanReport:
    stages = await stages_to_prime(transactions, plan, survey.warm, account)
    tally, night = PlanTally(plan, survey.warm), ExpectedNight(plan, stages, survey.warm)
    async for page in pages:
        tally.add(night.chunks(page), night.made_at)
    return tally.report(stages, await usual_seconds(transactions, account))


async def _client(settings: Settings, stack: AsyncExitStack) -> AsyncAnthropic | None:
    try:
        return await stack.enter_async_context(make_client(settings))
    except NotReady:
        logger.info("there is no API to count tokens: lengths are estimated")
        return None


async def _pages(
    transactions: Transactions, plan: RunPlan, scope: Scope, settings: Settings
) -> AsyncIterator[list[ClaimedInsight]]:
    """Read what is due in the plan's order, up to the scope's limit."""
    left = scope.insight_limit
    for group in plan.order:
        asked = scope.due(plan.terms.now) | {
            "sport": group.sport,
            "tone": group.tone,
            "insight_limit": left,
        }

        async def read(
            connection: AsyncConnection, asked: Mapping[str, object] = asked
        ) -> Sequence[Row[Any]]:
            return (await connection.execute(QUERIES["due"], asked)).all()

        due = await transactions.commit(read)
        left = None if left is None else left - len(due)
        for ids in _whole_players(due):
            yield await _insights(transactions, ids, settings)


def _whole_players(due: Iterable[Row[Any]]) -> Iterator[list[str]]:
    """Cut what is due into pages, as a claim does: never within a player's insights."""
    page: list[str] = []
    for _, rows in groupby(due, key=attrgetter("player_id")):
        page += [row.id for row in rows]
        if len(page) >= PAGE_INSIGHTS:
            yield page
            page = []
    if page:
        yield page


async def _insights(transactions: Transactions, ids: list[str], settings: Settings) -> list[ClaimedInsight]:
    wanted = asked_for_prompts(ids, rehearsal=settings.rehearsal)

    async def read(connection: AsyncConnection) -> list[ClaimedInsight]:
        return [insight_of(row) for row in (await connection.execute(QUERIES["for_prompt"], wanted)).all()]

    return await transactions.commit(read)
