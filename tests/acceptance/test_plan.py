"""The dry run: it tells what a run would call, to the token, and changes nothing."""

import asyncio
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app, exit_code
from core.errors import BadInput
from core.plan_report import PlanReport
from core.settings import Settings
from tasks.planning import plan_due
from tasks.surveys import Scope
from tests.acceptance.conftest import World
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


def planned(world: World, limit: int | None = None) -> PlanReport:
    """Plan for what is due now."""
    settings = Settings()
    return asyncio.run(
        plan_due(
            world.database_url,
            settings=settings,
            model=settings.model,
            asked=Scope(None, limit),
            clock=world.clock,
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


def test_a_plan_spends_nothing_claims_nothing_and_leaves_no_run(world: World) -> None:
    world.load(insights=20)
    planned(world)
    assert world.meter()["requests"] == 0
    assert world.states() == {"pending": 20}
    assert world.ledger() == world.rows("SELECT * FROM summary_run") == []
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
        (["--lane", "overnight"], "does not exist yet"),
        (["--insights-per-call", "21"], "1 to 20"),
        (["--model", "claude-imaginary-9"], "claude-imaginary-9"),
    ],
)
def test_what_cannot_be_planned_is_bad_input(world: World, arguments: list[str], named: str) -> None:
    refused = CliRunner().invoke(app, ["plan", *arguments])
    assert isinstance(refused.exception, BadInput)
    assert exit_code(refused.exception) == 2
    assert named in str(refused.exception)
