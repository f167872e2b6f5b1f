"""What a run must not lose, when what it stands on gives way: figures, answers, its place."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from core.errors import NotReady
from flows.summarize import summarize_pending
from tasks.spool import replay_spool, spool_folder
from tests.acceptance.conftest import World
from tests.acceptance.packs import load_packs
from tests.acceptance.test_summarize import assert_books_equal, run
from tests.acceptance.test_summarize_faults import outcomes, reasons
from tests.integration.canned_api import canned_api

ONE_PLAYER_EACH = """
UPDATE insight SET player_id = player.id
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM player) AS player,
    (SELECT id, row_number() OVER (ORDER BY id) AS n FROM insight) AS numbered
WHERE insight.id = numbered.id AND player.n = numbered.n
"""


def test_when_a_leaders_stream_breaks_only_that_attempt_is_lost(world: World) -> None:
    world.load(insights=12)
    world.fault(kind="cut_answer", count=1)
    run(world, insights_per_call=1)
    assert sorted(outcomes(world)) == ["lost"] + ["succeeded"] * 12
    assert world.states() == {"summarized": 12}


@pytest.mark.parametrize("in_flight", [1, 13], ids=["of a leader", "of its followers"])
def test_a_database_that_goes_away_during_answers_costs_no_figures(world: World, in_flight: int) -> None:
    world.load(insights=14)
    world.execute("UPDATE coach SET tone = 'warm'")
    world.execute("UPDATE player SET sport = 'soccer'")
    world.execute("UPDATE insight SET sport = NULL")
    world.execute(ONE_PLAYER_EACH)
    world.fault(kind="slow_first_byte", share=1, seconds=1.5)

    async def drop_meanwhile() -> None:
        flow = asyncio.create_task(summarize_pending(clock=world.clock))
        while outcomes(world).count("sent") < in_flight and not flow.done():  # noqa: ASYNC110 - the rows are in another process
            await asyncio.sleep(0.02)
        world.engine.dispose()
        name = world.engine.url.database
        with psycopg.connect(world.database_url.replace(str(name), "postgres"), autocommit=True) as server:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
        await flow

    with pytest.raises(NotReady, match="database went away"):
        asyncio.run(drop_meanwhile())
    kept = [json.loads(path.read_text()) for path in spool_folder(world.home).iterdir()]
    assert len(kept) == in_flight, "all that was in flight was heard, and none of it is lost"
    for figures in kept:
        assert (figures["outcome"], figures["outcome_reason"]) == ("unusable", "answer_lost")
        assert figures["output_tokens"] > 0


def test_an_insight_whose_summary_the_database_refuses_is_parked_and_the_others_go_on(world: World) -> None:
    insights = world.load(insights=6)
    world.execute(f"ALTER TABLE summary ADD CONSTRAINT closed CHECK (insight_id <> '{insights[2]}')")
    report = run(world)
    assert report.parked == {"store_refused": 1}
    assert world.states() == {"parked": 1, "summarized": 5}
    assert sorted(outcomes(world)) == ["succeeded"] * 5 + ["unusable"]
    assert_books_equal(world)


def test_two_replays_at_once_settle_each_attempt_once(world: World) -> None:
    world.load(insights=8)
    world.execute("ALTER TABLE ai_usage_log ADD CONSTRAINT closed CHECK (outcome = 'sent') NOT VALID")
    run(world)
    world.execute("ALTER TABLE ai_usage_log DROP CONSTRAINT closed")

    async def both() -> int:
        from database.engine import connect_async

        engine = connect_async(world.database_url)
        settled = await asyncio.gather(*(replay_spool(engine, world.home) for _ in range(2)))
        await engine.dispose()
        return sum(settled)

    assert asyncio.run(both()) == 8
    assert outcomes(world) == ["succeeded"] * 8
    assert_books_equal(world)


def test_a_broken_file_in_the_spool_is_set_aside_and_stops_nobody(world: World) -> None:
    world.load(insights=1)
    spool_folder(world.home).mkdir(parents=True)
    (spool_folder(world.home) / "half.json").write_text('{"attempt_id": "a"')
    run(world)
    assert world.states() == {"summarized": 1}
    assert [path.name for path in spool_folder(world.home).iterdir()] == ["half.unreadable"]


INVALID = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}


@pytest.mark.parametrize("insights_per_call", [1, 5])
@pytest.mark.parametrize(
    ("status", "answer", "reason", "attempts"),
    [
        (400, INVALID, "api_invalid_request_error", ["rejected"]),
        (200, {}, "answer_unreadable", ["lost"] * 2),
    ],
)
def test_an_api_that_answers_nothing_but_nonsense_does_not_park_a_season(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    answer: dict[str, Any],
    reason: str,
    attempts: list[str],
    insights_per_call: int,
) -> None:
    load_packs(world, players=10, size=2)
    with canned_api(status, answer) as base_url:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", base_url)
        with pytest.raises(NotReady, match=reason):
            run(world, insights_per_call=insights_per_call)
    parked = reasons(world).count({"state": "parked", "state_reason": reason})
    assert parked <= 2 * 3, "three players, two insights each"
    assert world.states().get("parked", 0) == parked
    assert world.states()["pending"] == 20 - parked
    assert set(outcomes(world)) == set(attempts)
    assert 3 * len(attempts) <= len(outcomes(world)) <= 6 * len(attempts)


def test_an_insight_that_comes_back_within_a_run_is_counted_where_it_ends(world: World) -> None:
    insights = world.load(insights=1)
    world.fault(kind="overloaded", count=5)

    async def with_time_passing() -> None:
        flow = asyncio.create_task(summarize_pending(clock=world.clock))
        await flow

    asyncio.run(with_time_passing())
    assert world.states() == {"deferred": 1}
    world.clock.shift += timedelta(minutes=6)
    report = run(world)
    assert report.insights == {"summarized": len(insights)}


def test_the_switches_of_another_organization_are_not_touched(world: World) -> None:
    world.load()
    clubs = [row["id"] for row in world.rows("SELECT id FROM organization ORDER BY id")]
    world.execute("UPDATE coach SET summaries_enabled = false")
    report = run(world, organization_id=clubs[0])
    counted = world.rows(
        "SELECT organization_id, count(*) AS n FROM insight WHERE state = 'skipped' GROUP BY 1"
    )
    assert [row["organization_id"] for row in counted] == [clubs[0]]
    assert report.insights == {"skipped": counted[0]["n"]}


def test_an_attempt_that_is_turned_away_keeps_no_prefix_warm(world: World) -> None:
    world.load(insights=10)
    run(world, insight_limit=5)
    world.admin("POST", "clock", {"advance_seconds": 400})
    world.clock.shift += timedelta(seconds=400)
    before = world.meter()["rows"][0]["cache_write_5m_tokens"]
    world.fault(kind="overloaded", count=3)
    run(world)
    written = world.meter()["rows"][0]["cache_write_5m_tokens"] - before
    longest = max(row["cache_write_5m_tokens"] for row in world.ledger()[5:])
    assert written < 2 * longest, "one call wrote the shared prefix again, the others read it"
