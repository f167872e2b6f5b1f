"""What a run says of itself: predicted beside billed, the waterfall, and a row that the next run can read."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import World
from tests.acceptance.test_summarize import run

EXAMPLE = Path(__file__).parents[2] / "examples" / "season"


def run_rows(world: World) -> list[dict[str, Any]]:
    return world.rows("SELECT * FROM summary_run ORDER BY started_at, run_id")


def test_a_run_keeps_its_figures_and_how_near_the_floor_it_came(world: World) -> None:
    world.load(insights=40)
    report = run(world)
    (row,) = run_rows(world)
    assert (row["run_id"], row["lane"], row["model"]) == (report.run_id, "live", "claude-haiku-5-5")
    assert (row["insights"], row["calls"], row["stopped"]) == (40, report.billed.calls, None)
    assert row["started_at"] <= row["ended_at"]
    assert row["billed_usd"] == sum(one["cost_usd"] for one in world.ledger())
    assert row["predicted_usd"] == report.predicted.cost_usd
    assert row["uncached_usd"] == report.billed.uncached_cost_usd
    assert row["floor_usd"] == report.billed.floor_usd
    assert row["efficiency"] == report.billed.efficiency == round(row["floor_usd"] / row["billed_usd"], 6)


def test_a_run_that_finds_nothing_has_a_row_without_a_bill(world: World) -> None:
    run(world)
    (row,) = run_rows(world)
    assert (row["insights"], row["calls"], row["billed_usd"], row["stopped"]) == (0, 0, 0, None)
    assert row["ended_at"] is not None


def test_the_row_says_why_a_run_was_stopped_and_of_which_club_it_was(world: World) -> None:
    world.load(insights=30)
    club = world.rows("SELECT organization_id FROM insight ORDER BY id")[0]["organization_id"]
    world.fault(kind="overloaded", share=1)
    run(world, organization_id=club)
    (row,) = run_rows(world)
    assert (row["stopped"], row["organization_id"]) == ("outage", club)


def test_the_report_has_predicted_beside_billed_and_both_are_near(world: World) -> None:
    world.load(insights=60)
    shown = run(world).to_json()
    assert shown["predicted"].keys() == shown["billed"].keys()
    for name in ("calls", "cache_write_5m_tokens", "cache_read_tokens"):
        assert shown["predicted"][name] == pytest.approx(shown["billed"][name], rel=0.01)
    assert float(shown["predicted"]["cost_usd"]) == pytest.approx(float(shown["billed"]["cost_usd"]), rel=0.2)


def test_on_the_example_season_predicted_is_within_a_hundredth_of_billed_given_the_answers(
    world: World,
) -> None:
    replace(world, season=EXAMPLE).load()
    report = run(world)
    assert report.insights["summarized"] > 500
    given = report.predicted_given_answers
    assert (given.calls, given.output_tokens) == (report.billed.calls, report.billed.output_tokens)
    assert abs(given.cost_usd / report.billed.cost_usd - 1) <= Decimal("0.01")


def test_the_waterfall_goes_down_from_plain_calls_to_the_bill_and_names_the_cut_on_a_cached_token(
    world: World,
) -> None:
    world.load(insights=100)
    report = run(world)
    shown = report.to_json()["waterfall"]
    names, dollars = zip(*((step["step"], Decimal(step["cost_usd"])) for step in shown["steps"]), strict=True)
    assert names == ("uncached", "cached", "packed")
    assert dollars[0] > dollars[1] > dollars[2] == report.billed.cost_usd
    shares = [step["share"] for step in shown["steps"]]
    assert shares == pytest.approx([float(one / dollars[0]) for one in dollars], abs=0.0001)
    assert shown["cached_token_cut"] == 0.9


def test_the_waterfall_is_near_what_the_other_ways_really_cost(world: World) -> None:
    """The same insights, asked for one by one: what packs are said to have spared is what that bills."""
    world.load(insights=100)
    packed = run(world)
    world.execute("DELETE FROM summary")
    world.execute("UPDATE insight SET state = 'pending'")
    world.execute("DELETE FROM cache_prefix")
    world.admin("POST", "reset")
    singly = run(world, insights_per_call=1)
    assert singly.billed.calls > packed.billed.calls
    _, (_, cached_usd, _), _ = packed.waterfall.steps()
    assert float(cached_usd) == pytest.approx(float(singly.billed.cost_usd), rel=0.05)
    assert float(packed.waterfall.uncached_usd) == pytest.approx(
        float(singly.billed.uncached_cost_usd), rel=0.05
    )
