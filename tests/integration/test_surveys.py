"""What a run is planned by, as it is read from the database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from core.states import Lane
from database.engine import connect_async
from models.tables import SummaryRun
from tasks.surveys import Scope, in_reach, survey_due
from tasks.transactions import Transactions
from tasks.warmth import Warmth
from tests.integration.stored_rows import AT, Rows
from tests.integration.workers import StillClock

MODEL = "claude-haiku-5-5"


async def every_seconds(url: str) -> float:
    async with transactions_on(url) as transactions:
        clock = StillClock()
        clock.time = AT
        warmth = Warmth(transactions, account="a", holder="h", clock=clock)
        survey = await survey_due(transactions, warmth, Scope(), model=MODEL, now=AT)
        return survey.run_every_seconds


async def players_reached(url: str, insight_limit: int) -> list[str] | None:
    async with transactions_on(url) as transactions:
        return (await in_reach(transactions, Scope(None, insight_limit), AT)).player_ids


@asynccontextmanager
async def transactions_on(url: str) -> AsyncIterator[Transactions]:
    engine = connect_async(url)
    try:
        yield Transactions(engine, StillClock())
    finally:
        await engine.dispose()


def with_runs(rows: Rows, seconds_ago: Sequence[float]) -> None:
    runs = [
        {
            "run_id": f"run-{number}",
            "lane": Lane.LIVE,
            "model": MODEL,
            "started_at": AT - timedelta(seconds=seconds),
        }
        for number, seconds in enumerate(seconds_ago)
    ]
    rows.insert(SummaryRun, *runs)


@pytest.mark.parametrize(
    ("seconds_ago", "every"),
    [
        ([10], 900.0),
        ([0, 180, 360, 540], 180.0),
        ([start + worker for start in (0, 900, 1800, 2700) for worker in (0, 1, 2, 3)], 900.0),
    ],
    ids=["unknown", "one worker", "four workers"],
)
def test_runs_come_as_often_as_their_schedule_however_many_workers_start(
    rows: Rows, database_url: str, seconds_ago: list[float], every: float
) -> None:
    with_runs(rows, seconds_ago)
    assert asyncio.run(every_seconds(database_url)) == pytest.approx(every, abs=5)


def test_a_limit_reaches_only_players_whom_no_switch_keeps_back(rows: Rows, database_url: str) -> None:
    rows.coach("off", "club")
    with rows.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE coach SET summaries_enabled = false WHERE id = 'off'")
    rows.insight(coach_id="off", created_at=AT - timedelta(days=2))
    assert asyncio.run(players_reached(database_url, 1)) == []
    rows.insight(created_at=AT - timedelta(days=1))
    assert asyncio.run(players_reached(database_url, 1)) == ["player-club"]
