"""The overnight lane on the example season: primed, sent, collected, and at half the price."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from core.report import RunReport
from flows.overnight import summarize_overnight
from tests.acceptance.conftest import World
from tests.acceptance.night import (
    assert_books_equal,
    choose,
    collect,
    evening,
    leave,
    load_alike,
    overnight,
)


def test_a_season_is_summarized_overnight_near_the_floor_and_the_ledger_equals_the_meter(
    world: World,
) -> None:
    loaded = world.load()
    choose(world)
    report: RunReport = asyncio.run(summarize_overnight(clock=evening(world)))  # under Prefect
    assert set(world.states()) <= {"summarized", "skipped", "parked"}
    assert sum(world.states().values()) == len(loaded) == sum(report.insights.values())
    assert Decimal("0.92") <= report.billed.efficiency <= 1  # so few insights that an hour's writes weigh
    assert report.billed.cost_usd == report.predicted_given_answers.cost_usd
    assert report.billed.cost_usd < report.waterfall.uncached_usd / 10
    assert_books_equal(world)
    assert world.meter()["cost_usd"] == report.to_json()["billed"]["cost_usd"]


def run_row(world: World) -> dict[str, Any]:
    (row,) = world.rows("SELECT * FROM summary_run")
    return row


def test_the_report_and_the_runs_row_say_what_it_came_to_and_how_long_it_took(world: World) -> None:
    world.load(insights=40)
    choose(world)
    clock = evening(world)
    report = overnight(world, clock)
    shown = report.to_json()
    assert shown["insights"] == {"summarized": 40}
    assert shown["billed"]["calls"] == len(world.ledger())
    assert report.billed.cost_usd == sum(row["cost_usd"] for row in world.ledger())
    assert report.predicted_given_answers.cost_usd == report.billed.cost_usd
    assert float(report.predicted.cost_usd) == pytest.approx(float(report.billed.cost_usd), rel=0.2)
    assert [step["step"] for step in shown["waterfall"]["steps"]] == [
        "uncached",
        "cached",
        "packed",
        "overnight",
    ]
    dollars = [Decimal(step["cost_usd"]) for step in shown["waterfall"]["steps"]]
    assert dollars == sorted(dollars, reverse=True)
    assert dollars[-1] == report.billed.cost_usd
    assert sum(clock.slept) <= report.wall_seconds < sum(clock.slept) + 60
    row = run_row(world)
    assert (row["run_id"], row["lane"], row["insights"]) == (report.run_id, "overnight", 40)
    assert (row["billed_usd"], row["predicted_usd"], row["floor_usd"]) == (
        report.billed.cost_usd,
        report.predicted.cost_usd,
        report.billed.floor_usd,
    )


def test_the_row_of_a_run_that_was_left_has_the_same_figures_once_others_have_collected_its_batches(
    world: World,
) -> None:
    load_alike(world, players=8)
    clock = evening(world)
    leave(world, clock, sleeps=5)
    before = run_row(world)
    clock.advance(120)
    report = collect(world, clock)
    row = run_row(world)
    assert (row["insights"], row["calls"]) == (8, 8)
    assert report.insights == {"summarized": 8}
    assert row["billed_usd"] == report.billed.cost_usd == sum(one["cost_usd"] for one in world.ledger())
    assert row["ended_at"] > before["started_at"]
    assert report.predicted_given_answers.cost_usd == report.billed.cost_usd
    assert_books_equal(world)


def test_a_retried_insight_counts_once_on_the_runs_row(world: World) -> None:
    load_alike(world, players=4)
    world.fault(kind="api_error", at="batches.items", count=2)
    overnight(world, evening(world))
    assert run_row(world)["insights"] == 4


def test_a_retried_insight_counts_once_towards_the_limit(world: World) -> None:
    load_alike(world, players=6)
    world.fault(kind="api_error", at="batches.items", count=2)
    overnight(world, evening(world), insight_limit=5)
    assert world.states() == {"pending": 1, "summarized": 5}


def test_a_run_that_finds_nothing_has_an_empty_bill(world: World) -> None:
    load_alike(world, players=2)
    choose(world, "live")
    report = overnight(world, evening(world))
    assert (report.insights, report.billed.calls) == ({}, 0)
    assert report.billed.cost_usd == 0
    assert run_row(world)["insights"] == 0
