"""Which lane an insight is in: each is taken by one lane, whatever its club has chosen, and never by both."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.states import Lane
from models.insight import QUERIES
from tasks.config import set_setting
from tasks.insights import claim_page
from tasks.run import Run
from tasks.surveys import Scope, in_reach, survey_due
from tests.integration.night_run import GROUP, stored, tell
from tests.integration.stored_rows import Rows
from tests.integration.workers import START

HOURS = 4  # after which `auto` is live
INSIGHTS: dict[str, dict[str, Any]] = {
    "plain": {"created_at": START - timedelta(hours=HOURS) + timedelta(seconds=1)},
    "urgent": {"created_at": START - timedelta(minutes=5), "urgent": True},
    "old": {"created_at": START - timedelta(hours=HOURS)},
    "missed": {"created_at": START - timedelta(minutes=5), "missed_due": True},
    "deferred": {
        "created_at": START - timedelta(minutes=5),
        "state": "deferred",
        "state_reason": "outage",
        "not_before": START,
    },
}
LIVE = {  # by what the club has chosen; everything else waits for the night
    "live": set(INSIGHTS),
    "overnight": {"missed"},
    "auto": {"urgent", "old", "missed"},
}


def clubs_of_every_lane(rows: Rows) -> None:
    """One club for each choice, which is its own or the platform's, each with an insight of each kind."""
    set_setting(rows.engine, "lane", "auto", changed_by="test", now=START)
    for lane in LIVE:
        rows.club(lane, "Pacific/Auckland")
        if lane != "auto":
            set_setting(rows.engine, "lane", lane, lane, changed_by="test", now=START)
        for kind, values in INSIGHTS.items():
            rows.insight(lane, id=f"{lane} {kind}", **values)
    set_setting(rows.engine, "live_after_hours", str(HOURS), changed_by="test", now=START)


def of_lane(lane: Lane) -> set[str]:
    kinds = {club: live if lane is Lane.LIVE else INSIGHTS.keys() - live for club, live in LIVE.items()}
    return {f"{club} {kind}" for club, found in kinds.items() for kind in found}


def is_recent(insight_id: str) -> bool:
    created_at: datetime = INSIGHTS[insight_id.partition(" ")[2]]["created_at"]
    return created_at > START - timedelta(hours=1)


async def scope_of(run: Run, lane: Lane, organization_id: str | None = None) -> Scope:
    return await in_reach(run.transactions, Scope(organization_id, lane=lane), START)


async def asked(run: Run, query: str, scope: Scope, **more: Any) -> list[Any]:
    """Ask what is due in a lane."""
    values = scope.due(START) | {"sport": GROUP.sport, "tone": GROUP.tone} | more

    async def read(connection: AsyncConnection) -> list[Any]:
        return list((await connection.execute(QUERIES[query], values)).all())

    return await run.commit(read)


def test_a_claim_takes_what_is_its_lanes_and_what_is_counted_planned_and_deferred_is_the_same(
    rows: Rows, home: Path
) -> None:
    clubs_of_every_lane(rows)

    async def story(run: Run) -> None:
        for lane in Lane:
            scope, expected = await scope_of(run, lane), of_lane(lane)
            due = await asked(run, "due", scope, insight_limit=None)
            assert {row.id for row in due} == expected
            survey = await survey_due(run.transactions, run.warmth, scope, model=run.model, now=START)
            assert survey.insights == len(expected)
            recent = await asked(run, "arrivals", scope, since=START - timedelta(hours=1))
            assert sum(row.insights for row in recent) == len([one for one in expected if is_recent(one)])
            (reached,) = await asked(run, "longest_waiting", scope, insight_limit=1)
            assert reached.player_id == ("player-auto" if lane is Lane.LIVE else "player-overnight")
            first = await asked(run, "player_waiting", scope, but_player_ids=[], due_min=2, due_max=9)
            assert first == [reached]
            nobody = scope.due(START) | {"clubs": "[]"}
            assert await asked(run, "due", scope, insight_limit=None, **nobody) == []
            one_club = await scope_of(run, lane, "overnight")
            claimed = await claim_page(run, GROUP, one_club, 100)
            assert {one.id for one in claimed} == {one for one in expected if one.startswith("overnight")}
            claimed += await claim_page(run, GROUP, scope, 100)
            assert {one.id for one in claimed} == expected
            assert len(claimed) == len(expected)

    tell(rows, home, story)
    assert stored(rows, "SELECT DISTINCT state FROM insight") == [("claimed",)]


def test_what_stops_one_lane_defers_nothing_of_the_other(rows: Rows, home: Path) -> None:
    clubs_of_every_lane(rows)

    async def story(run: Run) -> None:
        scope = await scope_of(run, Lane.OVERNIGHT)
        ending = scope.due(START) | {"state_reason": "limit", "not_before": START + timedelta(hours=1)}

        async def defer(connection: AsyncConnection) -> int:
            return (await connection.execute(QUERIES["defer_due"], ending)).rowcount

        assert await run.commit(defer) == len(of_lane(Lane.OVERNIGHT))

    tell(rows, home, story)
    deferred = stored(rows, "SELECT id FROM insight WHERE state_reason = 'limit'")
    assert {one for (one,) in deferred} == of_lane(Lane.OVERNIGHT)
