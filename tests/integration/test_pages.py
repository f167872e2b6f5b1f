"""Claims in pages: in the plan's order, whole packs, each insight once, and never more than the limit."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from core.claimed import ClaimedInsight
from core.measured import Measured
from core.plan import RunPlan, Terms, plan_run
from core.settings import Settings
from core.states import Tone
from core.survey import Survey
from database.engine import connect_async
from models.tables import Player
from tasks.claude import make_client
from tasks.clock import SystemClock
from tasks.insights import claim_pages
from tasks.run import Run
from tasks.surveys import Scope, in_reach, survey_due
from tests.integration.stored_rows import AT, Rows

SPORTS = ("soccer", "rugby", "gaa_football")
Pages = list[list[ClaimedInsight]]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.insights.PAGE_INSIGHTS", 4)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")


class Runs:
    """Surveys, plans and claims as runs do."""

    def __init__(self, database_url: str) -> None:
        self.database_url = database_url

    def make(self) -> Run:
        settings = Settings()
        return Run(
            run_id=str(uuid4()),
            model=settings.model,
            settings=settings,
            engine=connect_async(self.database_url),
            client=make_client(settings),
            clock=SystemClock(),
        )

    async def survey(self, run: Run, scope: Scope) -> Survey:
        now = run.clock.now()
        scope = await in_reach(run.transactions, scope, now)
        return await survey_due(run.transactions, run.warmth, scope, model=run.model, now=now)

    async def plan(self, run: Run, scope: Scope) -> RunPlan:
        return plan_run(await self.survey(run, scope), Terms(run.model, AT, Measured(run.model), 5))

    async def pages(self, asked: Scope) -> Pages:
        run = self.make()
        try:
            scope = await in_reach(run.transactions, asked, run.clock.now())
            return [page async for page in claim_pages(run, await self.plan(run, scope), scope)]
        finally:
            await run.engine.dispose()


@pytest.fixture
def runs(database_url: str) -> Runs:
    return Runs(database_url)


def players(rows: Rows, **insights: int) -> None:
    """Players by id with so many insights each, who began to wait in the order in which they are named."""
    for place, (player_id, number) in enumerate(insights.items()):
        sport = SPORTS[place % len(SPORTS)] if "_" in player_id else "soccer"
        player = {"id": player_id, "organization_id": "club", "first_name": "Aoife", "sport": sport}
        rows.insert(Player, player)
        for hour in range(number):
            rows.insight(player_id=player_id, created_at=AT + timedelta(hours=hour, minutes=place))


def of_players(page: list[ClaimedInsight]) -> Counter[str]:
    return Counter(one.player_id for one in page)


def test_pages_never_cut_a_players_insights_in_two_and_begin_with_who_has_waited_longest(
    rows: Rows, runs: Runs
) -> None:
    players(rows, a=3, b=3, c=1, d=6, e=2)
    pages = asyncio.run(runs.pages(Scope()))
    assert [dict(of_players(page)) for page in pages] == [{"a": 3, "b": 3}, {"c": 1, "d": 6}, {"e": 2}]


def test_pages_follow_the_plans_order_and_hold_one_sport_and_tone_each(rows: Rows, runs: Runs) -> None:
    players(rows, a_=3, b_=5, c_=2, d_=1, e_=4, f_=1)

    async def planned() -> list[tuple[str, Tone]]:
        run = runs.make()
        plan = await runs.plan(run, Scope())
        await run.engine.dispose()
        return [(group.sport, group.tone) for group in plan.order]

    order = asyncio.run(planned())
    assert len(order) == 3
    kinds = [{(one.sport, one.tone) for one in page} for page in asyncio.run(runs.pages(Scope()))]
    assert all(len(kind) == 1 for kind in kinds)
    places = [order.index(next(iter(kind))) for kind in kinds]
    assert places == sorted(places)


@pytest.mark.parametrize("limit", [1, 3, 4, 5, 7, 8, 11])
def test_a_limit_is_never_passed_and_takes_those_who_have_waited_longest(
    rows: Rows, runs: Runs, limit: int
) -> None:
    players(rows, a=1, b=6, c=2, d=6)
    pages = asyncio.run(runs.pages(Scope(insight_limit=limit)))
    claimed = sum(map(of_players, pages), Counter())
    assert claimed.total() == limit
    waiting = {"a": 1, "b": 6, "c": 2, "d": 6}
    taken = [player for player in waiting if claimed[player]]
    assert taken == list(waiting)[: len(taken)]
    assert all(claimed[player] == waiting[player] for player in taken[:-1])


def test_two_workers_at_once_claim_everything_once_and_cut_no_pack(rows: Rows, runs: Runs) -> None:
    players(rows, **{f"p{n:02}": 3 for n in range(20)})

    async def both() -> list[Pages]:
        return await asyncio.gather(*(runs.pages(Scope()) for _ in range(2)))

    held = [sum(map(of_players, pages), Counter()) for pages in asyncio.run(both())]
    assert sum(map(Counter.total, held)) == 60
    assert set().union(*(each.values() for each in held)) == {3}


def test_a_survey_counts_what_the_claims_take(rows: Rows, runs: Runs) -> None:
    players(rows, a_=3, b_=5, c_=2, d_=3)
    rows.coach("off", "club")
    with rows.engine.begin() as connection:
        connection.execute(sa.text("UPDATE coach SET summaries_enabled = false WHERE id = 'off'"))
    rows.insight(player_id="a_", coach_id="off", state="pending")

    async def surveyed() -> Survey:
        run = runs.make()
        survey = await runs.survey(run, Scope())
        await run.engine.dispose()
        return survey

    survey = asyncio.run(surveyed())
    assert survey.insights == 13
    assert {group.sport: dict(group.sizes) for group in survey.groups} == {
        "soccer": {3: 2},
        "rugby": {5: 1},
        "gaa_football": {2: 1},
    }
