"""Runs under rate limits: just below them, and obeying what the API asks for."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from core.settings import Settings
from tests.acceptance.conftest import ShiftedClock, World
from tests.acceptance.packs import load_packs
from tests.acceptance.test_summarize import assert_books_equal, run
from tests.acceptance.test_summarize_faults import outcomes
from tests.integration.emulator_process import running_emulator


@pytest.fixture
def limited(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world whose emulator has the limits of the start tier in the smallest buckets."""
    with running_emulator("--tier", "start", "--burst-seconds", "1", "--latency", "off") as emulator:
        world.emulator_url = emulator.base_url
        monkeypatch.setenv("ANTHROPIC_BASE_URL", emulator.base_url)
        yield world


class SystemLike(ShiftedClock):
    """Real time: buckets that fill by themselves cannot be moved with ours."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def test_a_run_stays_below_limits_that_it_has_learned_and_ends(
    limited: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited.load(insights=70)
    limited.clock = SystemLike()
    monkeypatch.setenv("TOUCHLINE_CONCURRENCY", "64")
    report = run(limited, insights_per_call=1)
    assert limited.states() == {"summarized": 70}
    assert outcomes(limited).count("rejected") <= 1
    assert report.wall_seconds >= (70 - 17) / (1_000 / 60), "1,000 requests a minute"
    known = limited.rows("SELECT kind, per_minute FROM rate_limit ORDER BY kind")
    assert [(row["kind"], row["per_minute"]) for row in known] == [
        ("input_tokens", 2_000_000),
        ("output_tokens", 400_000),
        ("requests", 1_000),
    ]
    assert_books_equal(limited)


def test_a_reached_spend_limit_defers_everything_with_the_reason_and_is_a_limit(world: World) -> None:
    insights = world.load(insights=40)
    world.fault(kind="spend_cap", share=1)
    report = run(world)
    assert report.deferred == {"spend_limit": len(insights)}
    assert world.rows("SELECT DISTINCT state, state_reason FROM insight") == [
        {"state": "deferred", "state_reason": "spend_limit"}
    ]
    assert report.stopped is not None
    assert (report.stopped.cause, report.stopped.is_limit) == ("spend_limit", True)
    assert len(outcomes(world)) < 5, "it is never asked again"


def test_a_spend_limit_that_is_reached_in_the_middle_keeps_what_was_answered(world: World) -> None:
    insights = world.load(insights=60)
    world.execute("UPDATE insight SET title = 'xyzzy' WHERE id >= :id", id=insights[40])
    world.fault(kind="spend_cap", share=1, match="xyzzy")
    report = run(world)
    states = world.states()
    assert states["summarized"] + states["deferred"] == 60
    assert states["deferred"] == report.deferred["spend_limit"]
    assert_books_equal(world)


def test_a_long_wait_that_the_api_asks_for_defers_and_nobody_sits_it_out(world: World) -> None:
    load_packs(world, players=6, size=2)
    began = world.clock.shift
    world.fault(kind="rate_limited", seconds=3_600, count=1)
    report = run(world)
    assert world.clock.shift - began < timedelta(minutes=10), "an hour is not waited for"
    assert report.deferred.get("rate_limit", 0) >= 2


def another_was_asked_to_wait(world: World, seconds: float) -> datetime:
    """The API has just asked another worker to wait so long; gives until when."""
    now = world.clock.now()
    world.execute(
        "INSERT INTO rate_limit (account, model, kind, per_minute, level, level_at, blocked_until)"
        " VALUES (:account, 'claude-haiku-5-5', 'requests', 6000, 50, :now, :until)",
        account=Settings().account,
        now=now,
        until=now + timedelta(seconds=seconds),
    )
    return now + timedelta(seconds=seconds)


class InStep(ShiftedClock):
    """Sleeping moves the emulator's clock, too."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        self._world.admin("POST", "clock", {"advance_seconds": seconds})


def test_a_wait_that_outlasts_a_prefix_makes_one_leader_again(world: World) -> None:
    load_packs(world, players=24, size=1)
    world.clock = InStep(world)
    run(world, insight_limit=4)
    pass_seconds(world, 270)
    until = another_was_asked_to_wait(world, 60)
    world.fault(kind="slow_first_byte", share=1, seconds=0.3)
    before = len(world.ledger())
    run(world)
    assert world.states() == {"summarized": 24}
    assert min(row["occurred_at"] for row in world.ledger()[before:]) >= until
    writes = [row["cache_write_5m_tokens"] for row in world.ledger()[before:]]
    assert sum(writes) < 2 * max(writes), "one call writes the prefix that has gone cold, the others wait"


def pass_seconds(world: World, seconds: float) -> None:
    """Let time pass for us and for the emulator."""
    world.clock.shift += timedelta(seconds=seconds)
    world.admin("POST", "clock", {"advance_seconds": seconds})


def test_when_the_api_asks_one_run_to_wait_another_waits_too(world: World) -> None:
    load_packs(world, players=2, size=1)
    run(world, insight_limit=1)
    until = another_was_asked_to_wait(world, 40)
    run(world)
    assert world.ledger()[-1]["occurred_at"] >= until
