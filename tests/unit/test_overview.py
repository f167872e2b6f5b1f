"""The page for seven in the morning says what needs a person, with what to do, or that nothing does."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from core.overview import SHOWN_MAX, Overview, Refused, RunLine, headline, overview_markdown

NOW = datetime(2026, 3, 3, 7, 0, tzinfo=UTC)
DONE = RunLine(
    "run-1", "live", NOW - timedelta(hours=2), NOW - timedelta(hours=1), 612, Decimal("0.031234567"),
    Decimal("0.9412"),
)  # fmt: skip
STOPPED = RunLine("run-2", "overnight", NOW - timedelta(hours=9), NOW, 5, Decimal("0.001"), stopped="outage")


def page(**known: object) -> str:
    """The page, with links that tell where they lead."""
    return overview_markdown(Overview(NOW, **known), lambda run_id, words: f"[{words}]({run_id})")  # type: ignore[arg-type]


def test_a_quiet_night_says_plainly_that_nothing_needs_you() -> None:
    quiet = page(runs=[DONE], idle_runs=90)
    assert quiet.startswith("# Nothing needs you\n")
    assert "1 run took 612 insights for **$0.031234567**; 90 runs found nothing due." in quiet
    assert "| [03-03 05:00](run-1) | live | 612 insights | $0.031234567 | 94.1% | done |" in quiet
    assert "## What needs you" not in quiet
    assert headline(Overview(NOW, runs=[DONE])) == "Nothing needs you"


def test_what_needs_a_person_is_told_in_one_line_as_well() -> None:
    known = Overview(NOW, [STOPPED], parked={"refused": 3, "api_x": 1}, to_review=1_204)
    assert headline(known) == "3 things need you: overnight stopped (outage), 4 parked, 1,204 to review"


def test_a_day_without_runs_says_that_as_well() -> None:
    assert "No run had anything to do." in page()


NEEDS = {
    "parked insights": (
        {"parked": {"refused": 3, "api_x": 1}},
        "4 insights are parked** (refused 3, api_x 1)",
        "touchline insights requeue ID",
    ),
    "waiting reviews": (
        {"to_review": 9, "reviewing_coaches": 2, "review_since": NOW},
        "9 summaries wait for review** by 2 coaches, since 2026-03-03 07:00 UTC",
        "touchline summaries list --state pending_review",
    ),
    "late batches": (
        {"batches_overdue": 1, "overdue_since": NOW},
        "1 batch is past the time to be collected",
        "touchline batches collect",
    ),
    "killed runs": (
        {"never_ended": [DONE]},
        "1 run began and never ended**: [live of 2026-03-03 05:00 UTC](run-1)",
        "A stuck or crashed run",
    ),
    "a missed rollup": (
        {"marked_days": 2, "first_marked": date(2026, 3, 1), "published_at": NOW - timedelta(days=2)},
        "2 days wait for a rollup**, the first is 2026-03-01; the last one was published 2026-03-01 07:00",
        "touchline rollup",
    ),
    "a refused rollup": (
        {"refused": Refused("run-3", NOW, 3, ["every organisation is known"])},
        "2026-03-03 07:00 UTC](run-3) was refused** (3 days). What failed: every organisation is known.",
        "When a rollup was refused",
    ),
    "a spool": ({"spool_waiting": 2}, "The figures of 2 requests wait in the spool", "touchline summarize"),
    "a broken spool": ({"spool_unreadable": 1}, "1 file of the spool cannot be read", "*.unreadable"),
    "a stopped run": ({"runs": [STOPPED]}, "was stopped: outage.", "the next run takes up"),
}


@pytest.mark.parametrize("name", NEEDS)
def test_what_needs_a_person_is_told_with_what_to_do(name: str) -> None:
    known, told, step = NEEDS[name]
    shown = page(**known)  # type: ignore[arg-type]
    assert shown.startswith("# 1 thing needs you\n")
    line = next(line for line in shown.splitlines() if line.startswith("- "))
    assert told in line
    assert step in line


def test_a_lane_that_was_stopped_and_has_run_through_since_needs_nobody() -> None:
    later = RunLine("run-4", "overnight", NOW - timedelta(hours=1), NOW, 5, Decimal("0.001"))
    shown = page(runs=[later, STOPPED])
    assert shown.startswith("# Nothing needs you\n")
    assert "**stopped: outage**" in shown


def test_marked_days_need_nobody_before_the_first_night() -> None:
    def begun(ago: timedelta) -> str:
        return page(marked_days=36, first_marked=date(2026, 2, 1), first_run_at=NOW - ago)

    assert begun(timedelta(hours=5)).startswith("# Nothing needs you\n")
    assert "there has been none yet" in begun(timedelta(days=2))


def test_marked_days_that_a_rollup_has_passed_over_within_a_day_need_nobody() -> None:
    fresh = page(marked_days=2, first_marked=date(2026, 3, 1), published_at=NOW - timedelta(hours=5))
    assert fresh.startswith("# Nothing needs you\n")


def test_rollups_are_in_the_table_with_how_they_ended() -> None:
    def line(**known: object) -> str:
        run = RunLine("r", "rollup", NOW, **{"ended_at": NOW, "days": 3, **known})  # type: ignore[arg-type]
        return page(runs=[run]).splitlines()[-1]

    assert line(published=True) == "| [03-03 07:00](r) | rollup | 3 days |  |  | published |"
    assert line(checks_failed=2).endswith("| **REFUSED**: 2 checks failed |")
    assert line(ended_at=None).endswith("| still running |")
    assert line(ended_at=None, never_ended=True).endswith("| **never ended** |")


def test_of_many_runs_the_latest_are_shown_and_the_others_are_counted_and_paid_for() -> None:
    shown = page(runs=[DONE] * (SHOWN_MAX + 5))
    assert shown.count("(run-1)") == SHOWN_MAX
    assert "And 5 runs before these." in shown
    assert f"**${Decimal('0.031234567') * (SHOWN_MAX + 5)}**" in shown
