"""Runs are named by what they did, what it cost, and what needs a person."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from core.bill import Bill, bill_of
from core.names import failed_name, learned_name, short_usd
from core.quality import CheckOutcome, QualityReport
from core.report import Collected, RunReport
from core.retry import Stop
from core.rollups import RollupReport
from core.states import CheckResult
from core.waterfall import Waterfall

NOTHING = Decimal(0)
BILLED = replace(
    bill_of([]),
    calls=120,
    attempts=121,
    total_input_tokens=600_000,
    cost_usd=Decimal("0.031234567"),
    cache_hit_rate=Decimal("0.9412"),
)


def report(
    insights: dict[str, int] | None = None,
    billed: Bill = BILLED,
    stopped: str | None = None,
    **reasons: Any,
) -> RunReport:
    """A report with these insights, by state."""
    return RunReport(
        run_id="run",
        insights=insights or {},
        predicted=bill_of([]),
        predicted_given_answers=bill_of([]),
        billed=billed,
        waterfall=Waterfall(NOTHING, NOTHING, NOTHING, NOTHING),
        wall_seconds=1.0,
        deferred=reasons.get("deferred", {}),
        parked=reasons.get("parked", {}),
        stopped=Stop(stopped, 300.0) if stopped else None,
    )


def test_a_run_that_went_well_is_named_by_insights_cost_and_hit_rate() -> None:
    went_well = report({"summarized": 612, "skipped": 40})
    assert went_well.name() == "612 insights, $0.031, hit 0.94"
    assert not went_well.needs_attention


def test_one_insight_is_no_plural_and_a_thousand_has_its_comma() -> None:
    assert report({"summarized": 1}).name().startswith("1 insight, ")
    assert report({"summarized": 1204}).name().startswith("1,204 insights, ")


def test_what_is_parked_and_deferred_follows_with_its_causes() -> None:
    left = report(
        {"summarized": 5, "parked": 3, "deferred": 12}, parked={"refused": 3}, deferred={"rate_limit": 12}
    )
    assert left.name() == "5 insights, $0.031, hit 0.94, 3 parked, 12 deferred (rate_limit)"
    assert left.needs_attention
    several = report({"deferred": 12}, deferred={"outage": 2, "rate_limit": 10})
    assert several.name().endswith("12 deferred (outage 2, rate_limit 10)")


def test_a_run_that_was_stopped_says_why_once() -> None:
    stopped = report({"deferred": 40}, bill_of([]), "spend_limit", deferred={"spend_limit": 40})
    assert stopped.name() == "stopped: spend_limit, 40 deferred"
    assert stopped.needs_attention
    assert not stopped.idle


def test_a_run_without_anything_due_says_so_and_has_nothing_to_show() -> None:
    assert (report(billed=bill_of([])).name(), report(billed=bill_of([])).idle) == ("nothing due", True)
    off = report(billed=bill_of([]), stopped="generation_off")
    assert (off.name(), off.idle, off.needs_attention) == ("stopped: generation_off", True, True)


def test_what_is_left_in_batches_or_given_back_is_told_and_what_was_only_skipped_as_well() -> None:
    assert report({"summarized": 2, "in_batch": 300}).name().endswith(", 300 still in batches")
    assert report({"summarized": 2, "pending": 1}).name().endswith(", 1 given back")
    assert report({"skipped": 4}, bill_of([])).name() == "4 skipped"


def test_where_nothing_was_answered_no_estimate_is_called_a_cost() -> None:
    unheard = replace(bill_of([]), calls=2, attempts=2, cost_usd=Decimal("0.0093"))
    assert report({"in_batch": 200}, unheard).name() == "200 still in batches"
    refused_by_the_api = replace(bill_of([]), calls=2, attempts=2)
    stopped = report({"deferred": 20}, refused_by_the_api, "spend_limit", deferred={"spend_limit": 20})
    assert stopped.name() == "stopped: spend_limit, 20 deferred"


def look(run_ids: tuple[str, ...], insights: int, closed: int, still_open: int, **report_: Any) -> Collected:
    """A look at the open batches."""
    return Collected(run_ids, {}, insights, closed, still_open, report(**report_))


def test_a_look_at_open_batches_is_named_by_what_it_collected() -> None:
    assert look(("a", "b"), 812, 3, 0).name() == "collected 812 insights of 2 runs, $0.031, hit 0.94"
    assert look(("a",), 1, 1, 2).name() == "collected 1 insight of 1 run, $0.031, hit 0.94, 2 batches open"
    assert look((), 0, 0, 0).name() == "nothing to collect"
    waits = look(("a",), 0, 0, 3)
    assert (waits.name(), waits.idle, waits.needs_attention) == ("3 batches open", True, False)


def test_a_look_that_the_api_turned_away_needs_a_person_but_has_nothing_to_show() -> None:
    away = look(("a",), 0, 0, 1, stopped="authentication_error")
    assert (away.name(), away.idle) == ("stopped: authentication_error, 1 batch open", True)
    assert away.needs_attention


def checks(*results: CheckResult) -> QualityReport:
    """Checks that ended so."""
    return QualityReport(tuple(CheckOutcome(f"check {n}", "t", True, how) for n, how in enumerate(results)))


def test_a_rollup_is_named_by_what_it_published_or_why_it_did_not() -> None:
    days = tuple(date(2026, 3, day) for day in (1, 2, 3))
    passed, failed, warned = CheckResult.PASSED, CheckResult.FAILED, CheckResult.WARNED
    published = RollupReport("run", days, 1204, checks(*[passed] * 41), published=True)
    assert published.name() == "3 days, 1,204 rows, 41 checks"
    refused = RollupReport("run", days, checks=checks(failed, failed, *[passed] * 39))
    assert (refused.name(), refused.refused) == ("REFUSED: 2 of 41 checks failed (3 days)", True)
    told = RollupReport("run", days[:1], 1, checks(passed, warned), published=True)
    assert told.name() == "1 day, 1 row, 2 checks, 1 warned"
    assert (RollupReport("run").name(), RollupReport("run").refused) == ("nothing marked", False)


def test_learning_and_failing_have_their_names() -> None:
    assert (learned_name(4), learned_name(1)) == ("learned for 4 coaches", "learned for 1 coach")
    assert learned_name(0) == "nothing to learn"
    assert failed_name("NotReady", None) == "FAILED (NotReady)"
    assert failed_name("NotReady", "5 insights, $0.031") == "FAILED (NotReady): 5 insights, $0.031"


@pytest.mark.parametrize(
    ("usd", "short"),
    [
        ("0", "$0"),
        ("0.000000005", "$0.0000000050"),
        ("0.00042", "$0.00042"),
        ("0.0099996", "$0.0100"),
        ("0.031234", "$0.031"),
        ("0.9996", "$1.000"),
        ("12.3", "$12.30"),
        ("1234.567", "$1,234.57"),
    ],
)
def test_money_in_a_name_is_short_and_never_nothing_for_something(usd: str, short: str) -> None:
    assert short_usd(Decimal(usd)) == short
