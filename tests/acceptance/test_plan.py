"""The dry run: it tells what a run would call, to the token, and changes nothing."""

import asyncio
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app, exit_code
from core.clock import Clock
from core.errors import BadInput
from core.plan_report import PlanReport
from core.settings import Settings
from core.states import Lane
from tasks.planning import plan_due
from tasks.surveys import Scope
from tests.acceptance.conftest import World
from tests.acceptance.night import choose, evening, overnight
from tests.acceptance.test_summarize import run

BILL = {
    "calls",
    "attempts",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "total_input_tokens",
    "cache_hit_rate",
    "cost_usd",
    "uncached_cost_usd",
    "floor_usd",
    "efficiency",
}
PREFIX = {"layers", "tokens", "uses", "marker", "ttl", "reason", "cost_per_1000_summaries_usd"}
INPUT = ("calls", "input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")


def planned(
    world: World, limit: int | None = None, lane: Lane = Lane.LIVE, clock: Clock | None = None
) -> PlanReport:
    """Plan for what is due now."""
    settings = Settings()
    return asyncio.run(
        plan_due(
            world.database_url,
            settings=settings,
            model=settings.model,
            asked=Scope(None, limit, lane),
            clock=clock or world.clock,
        )
    )


def invoked(*arguments: str) -> dict[str, Any]:
    """Run the command; gives the JSON object that it prints."""
    told = CliRunner().invoke(app, ["plan", "--json", *arguments])
    assert told.exit_code == 0
    plan: dict[str, Any] = json.loads(told.stdout)
    return plan


@pytest.mark.parametrize("limit", [None, 45])
def test_a_plan_is_what_the_run_then_calls(
    world: World, limit: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.load()
    monkeypatch.setattr("tasks.planning.PAGE_INSIGHTS", 7)
    plan = planned(world, limit).to_json()
    billed = run(world, insight_limit=limit).to_json()["billed"]
    assert {name: plan["predicted"][name] for name in INPUT} == {name: billed[name] for name in INPUT}
    asked = world.rows("SELECT count(DISTINCT insight_id) AS insights FROM ai_usage_insight")
    assert plan["insights"] == asked[0]["insights"]
    assert sum(int(size) * number for size, number in plan["packs"].items()) == plan["insights"]


def test_a_plan_of_a_night_is_what_its_primes_and_its_main_batches_then_use(world: World) -> None:
    world.load(insights=60)
    choose(world)
    clock = evening(world)
    told = planned(world, lane=Lane.OVERNIGHT, clock=clock).to_json()
    billed = overnight(world, clock).to_json()["billed"]
    assert {name: told["predicted"][name] for name in INPUT} == {name: billed[name] for name in INPUT}
    sent = world.rows(
        "SELECT stage, sum(requests)::int AS requests FROM message_batch GROUP BY 1 ORDER BY stage = 0, stage"
    )
    primes = [prime["stage"] for prime in told["primes"]]
    assert primes
    stages = [(stage, primes.count(stage)) for stage in sorted(set(primes))]
    assert [(row["stage"], row["requests"]) for row in sent] == [*stages, (0, told["calls"] - len(primes))]


@pytest.mark.parametrize("lane", list(Lane))
def test_a_plan_spends_nothing_claims_nothing_and_leaves_no_run(world: World, lane: Lane) -> None:
    world.load(insights=20)
    choose(world, lane)
    assert planned(world, lane=lane).insights == 20
    assert world.meter()["requests"] == 0
    assert world.states() == {"pending": 20}
    assert world.ledger() == world.rows("SELECT * FROM summary_run") == []
    assert world.rows("SELECT batch_id FROM message_batch") == []
    assert world.rows("SELECT key FROM cache_prefix") == []


def test_a_plan_counts_nothing_that_a_switch_keeps_back(world: World) -> None:
    world.load(insights=20)
    world.execute("UPDATE coach SET summaries_enabled = false")
    assert planned(world).insights == 0


def test_the_command_tells_the_plan_by_the_interfaces(world: World) -> None:
    world.load(insights=30)
    plan = invoked()
    assert plan.keys() >= {
        *("lane", "insights", "calls", "packs", "prefixes", "predicted"),
        *("duration_seconds", "limited_by"),
    }
    assert plan["predicted"].keys() == BILL
    assert all(row.keys() >= PREFIX for row in plan["prefixes"])
    assert all(bool(row["ttl"]) == row["marker"] and row["reason"] for row in plan["prefixes"])
    assert plan["calls"] < plan["insights"] == 30
    assert invoked("--insights-per-call", "1")["calls"] == 30


def test_the_command_tells_the_plan_of_a_night_with_its_primes_and_how_long_batches_take(
    world: World,
) -> None:
    world.load(insights=30)
    assert invoked("--lane", "overnight")["insights"] == 0, "all clubs have chosen live"
    choose(world)
    assert invoked()["insights"] == 0
    night = invoked("--lane", "overnight")
    assert (night["lane"], night["insights"]) == ("overnight", 30)
    assert night["predicted"].keys() == BILL
    assert {row["ttl"] for row in night["prefixes"]} == {"1h", None}
    leaves = [(row["form"], row["layers"]) for row in night["prefixes"] if len(row["layers"]) == 3]
    assert all((prime["form"], prime["layers"]) in leaves for prime in night["primes"])
    stages = len({prime["stage"] for prime in night["primes"]})
    assert night["duration_seconds"] == (stages + 1) * 600 > 600
    assert night["limited_by"] == "batches, one after another"
    shown = CliRunner().invoke(app, ["plan", "--lane", "overnight"])
    assert shown.exit_code == 0
    assert "go ahead to write what all the others read" in shown.stdout


def test_with_nothing_due_in_a_lane_a_plan_says_where_insights_wait(world: World) -> None:
    world.load(insights=3)
    told = CliRunner().invoke(app, ["plan", "--lane", "overnight"])
    assert "Nothing is due" in told.stdout
    assert "insights wait: 3 pending" in told.stderr
    assert "touchline config set lane" in told.stderr


def test_without_an_api_lengths_are_estimated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.load(insights=5)
    monkeypatch.delenv("ANTHROPIC_BASE_URL")
    assert invoked()["counted"] is False
    monkeypatch.setenv("ANTHROPIC_BASE_URL", world.emulator_url)
    assert invoked()["counted"] is True


def test_with_nothing_due_a_plan_is_empty_and_says_so(world: World) -> None:
    plan = invoked()
    assert (plan["insights"], plan["calls"], plan["prefixes"]) == (0, 0, [])
    assert "Nothing is due" in CliRunner().invoke(app, ["plan"]).stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--insights-per-call", "21"], "1 to 20"),
        (["--model", "claude-imaginary-9"], "claude-imaginary-9"),
    ],
)
def test_what_cannot_be_planned_is_bad_input(world: World, arguments: list[str], named: str) -> None:
    refused = CliRunner().invoke(app, ["plan", *arguments])
    assert isinstance(refused.exception, BadInput)
    assert exit_code(refused.exception) == 2
    assert named in str(refused.exception)
