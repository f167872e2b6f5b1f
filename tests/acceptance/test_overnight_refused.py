"""Batches that the API does not take: waited for, deferred, or given back with what to check."""

from datetime import timedelta
from typing import Any

import pytest

from core.errors import NotReady
from tests.acceptance.conftest import World
from tests.acceptance.night import (
    assert_books_equal,
    assert_each_has_one_summary,
    at_vendor,
    batches,
    evening,
    load_alike,
    outcomes,
    overnight,
    waiting,
)


def test_the_api_is_given_the_time_it_asks_for_and_then_takes_the_batch_once(world: World) -> None:
    load_alike(world, players=2)
    clock = evening(world)
    world.fault(kind="rate_limited", at="batches.create", seconds=20, count=2)
    overnight(world, clock)
    assert all(seconds >= 20 for seconds in clock.slept[:2])
    assert len(at_vendor(world)) == len(batches(world)) == 1
    assert_each_has_one_summary(world, 2)
    assert_books_equal(world)


LIMITS: dict[str, tuple[dict[str, Any], str, float]] = {
    "a full queue": ({"kind": "rate_limited", "seconds": 1_800, "count": 1}, "rate_limit", 1_800),
    "the spend cap": ({"kind": "spend_cap", "count": 1}, "spend_limit", 3_600),
    "an overload": ({"kind": "overloaded", "share": 1}, "outage", 300),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_when_a_limit_is_reached_everything_is_deferred_at_no_cost_and_runs_when_it_is_over(
    world: World, limit: str
) -> None:
    fault, cause, seconds = LIMITS[limit]
    load_alike(world, players=6)
    clock = evening(world)
    world.fault(at="batches.create", **fault)
    report = overnight(world, clock)
    assert report.stopped is not None
    assert (report.stopped.cause, report.stopped.is_limit) == (cause, cause != "outage")
    assert waiting(world) == [("deferred", cause, False, 6)]
    assert at_vendor(world) == []
    assert [one["state"] for one in batches(world)] == ["refused"]
    ((outcome, _, number),) = outcomes(world)
    assert (outcome, number) == ("rejected", 1)
    assert_books_equal(world)
    world.admin("DELETE", "faults")
    if cause == "outage":
        overnight(world, clock)
        assert world.states() == {"deferred": 6}, "not before its time"
    clock.advance(seconds)
    overnight(world, clock)
    assert_each_has_one_summary(world, 6)
    assert_books_equal(world)


def test_the_report_of_a_stopped_run_counts_everything_that_it_has_deferred(world: World) -> None:
    load_alike(world, players=6)
    world.fault(at="batches.create", kind="spend_cap")
    report = overnight(world, evening(world))
    assert report.insights == world.states() == {"deferred": 6}
    assert report.deferred == {"spend_limit": 6}


def test_what_was_primed_before_the_limit_is_kept_and_the_rest_deferred(world: World) -> None:
    load_alike(world, players=6)
    clock = evening(world)

    def fill_the_queue(seconds: float) -> None:
        clock.woken = lambda seconds: None
        world.fault(kind="rate_limited", at="batches.create", seconds=600, count=1)

    clock.woken = fill_the_queue
    report = overnight(world, clock)
    assert waiting(world) == [("deferred", "rate_limit", False, 5), ("summarized", None, False, 1)]
    assert report.insights == {"deferred": 5, "summarized": 1}
    clock.advance(601)
    overnight(world, clock)
    assert [one["kind"] for one in batches(world)] == ["prime", "main", "main"], "it is still warm"
    assert_each_has_one_summary(world, 6)
    assert_books_equal(world)


def test_when_the_set_up_is_wrong_everything_is_pending_again_and_the_error_says_what_to_check(
    world: World,
) -> None:
    load_alike(world, players=6)
    clock = evening(world)
    world.fault(kind="error", error_type="authentication_error", at="batches.create", count=1)
    with pytest.raises(NotReady, match="ANTHROPIC_API_KEY"):
        overnight(world, clock)
    assert world.states() == {"pending": 6}
    assert outcomes(world) == [("rejected", "authentication_error", 1)]
    assert at_vendor(world) == []
    assert_books_equal(world)
    overnight(world, clock)
    assert_each_has_one_summary(world, 6)
    assert_books_equal(world)


def test_a_poll_that_fails_is_made_again(world: World) -> None:
    load_alike(world, players=2)
    clock = evening(world)
    world.fault(kind="overloaded", at="batches.read", count=1)
    world.fault(kind="reset_before_billing", at="batches.read", count=1)
    world.fault(kind="not_json", at="batches.read", count=1)
    overnight(world, clock)
    assert_each_has_one_summary(world, 2)
    assert_books_equal(world)


def test_an_address_where_nobody_listens_defers_at_no_cost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_alike(world, players=2)
    clock = evening(world)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    overnight(world, clock)
    assert waiting(world) == [("deferred", "outage", False, 2)]
    assert {(row["outcome"], row["cost_usd"]) for row in world.ledger()} == {("rejected", 0)}


def test_when_the_second_batch_is_refused_the_first_is_collected_by_a_later_run_and_sent_no_second_time(
    world: World,
) -> None:
    """Of two clubs, so that there are two batches; a slow answer of no seconds passes the first one by."""
    load_alike(world, players=1, elsewhere=1)
    clock = evening(world)
    world.fault(kind="slow_first_byte", at="batches.create", seconds=0, count=1)
    world.fault(kind="rate_limited", at="batches.create", seconds=600, count=1)
    overnight(world, clock)
    assert sorted(one["state"] for one in batches(world)) == ["open", "refused"]
    assert world.states() == {"deferred": 1, "in_batch": 1}
    clock.advance(timedelta(hours=1).total_seconds())
    overnight(world, clock)
    assert len(at_vendor(world)) == 2
    assert_each_has_one_summary(world, 2)
    assert_books_equal(world)
