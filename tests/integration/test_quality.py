"""What is wrong with a night is found by the check for it, shown, and kept; no other check complains.

On one server only, as checking a night takes a second: `test_quality_made` makes every check on all of them.
"""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from core.errors import BadInput
from core.quality import QualityReport
from core.states import CheckResult
from database import migrate
from tasks.failing_rows import SAMPLE_ROWS
from tests.conftest import fresh_database
from tests.integration.staged_nights import (
    CHECKS,
    DAY,
    GAP,
    NOTHING,
    NOW,
    TODAY,
    Nights,
    complaints,
    only,
)
from tests.integration.stored_rows import Rows

DAYS = "the days are those of the ledger"
FIGURES = "every figure of every day equals the ledger's to the last digit"
KNOWN = "every organisation is known"
NEAR = "a local day is at most one day from its UTC day"
PRICE = "every cost is what the price list says"
OTHER_LIST = "what another price list priced costs the same by this one"
SHRUNK = "no day has lost ledger rows since it was published"
TAKEN = "the days are those that the run has taken"
UNIQUE = "the key is unique"
VOLUME = "a past day has half to twice the attempts of this weekday in the four weeks before"
USAGE = ("organization_day", "coach_day", "player_day", "platform_day")


@pytest.fixture(scope="module")
def template(embedded_server: str) -> Iterator[str]:
    """The name of a migrated database to copy."""
    with fresh_database(embedded_server) as url:
        migrate.upgrade(url)
        yield str(sa.make_url(url).database)


@pytest.fixture
def database_url(embedded_server: str, template: str) -> Iterator[str]:
    """The URL of a migrated, empty database."""
    with fresh_database(embedded_server, template) as url:
        yield url


@pytest.fixture
def nights(database_url: str, rows: Rows) -> Nights:
    """A sound night of three players, staged."""
    made = Nights(database_url, rows)
    made.stage()
    return made


def assert_stopped(nights: Nights, report: QualityReport, *wrong: tuple[str, str]) -> None:
    """These checks have failed with rows that show why, and no others; so it is kept."""
    found = complaints(report)
    assert set(found) == set(wrong)
    assert not report.publishable
    assert report.to_json() == {"passed": CHECKS - len(wrong), "failed": len(wrong), "warned": 0}
    kept = nights.kept()
    assert len(kept) == CHECKS
    for key, row in kept.items():
        if key in found:
            one = found[key]
            assert one.failing >= len(one.failing_rows) >= 1
            assert (row.result, row.critical) == (CheckResult.FAILED, True)
            assert (row.failing, row.failing_rows) == (one.failing, list(one.failing_rows))
        else:
            assert (row.result, row.failing, row.failing_rows) == (CheckResult.PASSED, 0, [])
        assert (row.exception, row.checked_at) == (None, NOW)


def test_a_sound_night_passes_every_check_and_nothing_is_said(
    nights: Nights, capfd: pytest.CaptureFixture[str]
) -> None:
    """Adjustments may take money back, and evaluations of models belong to no club."""
    for table in (*USAGE, "ledger_day"):
        nights.change(table, {"cost_usd": -3, "adjustments": 3})
    nights.change("player_day", {"cost_usd": -1, "adjustments": 1})
    for table in ("organization_day", "coach_day", "player_day"):
        nights.change(table, {"organization_id": "evaluation"})
    report = nights.check()
    assert report.complaints == ()
    assert report.publishable
    assert report.to_json() == {"passed": CHECKS, "failed": 0, "warned": 0}
    assert capfd.readouterr() == ("", "")
    assert {row.result for row in nights.kept().values()} == {CheckResult.PASSED}
    assert len(nights.kept()) == CHECKS


def test_keys_that_are_null_or_there_twice_stop_a_night(nights: Nights) -> None:
    nights.change("player_day", {"player_id": None}, player_id="player-1")
    nights.change("organization_day", {"local_day": None})
    again = {"organization_id": "club", "coach_id": "coach-club", "local_day": DAY}
    nights.add("coach_day", {**again, **NOTHING})
    nights.add("ledger_day", {name: 0 for name in NOTHING if name != "saved_usd"})
    report = nights.check()
    assert_stopped(
        nights,
        report,
        ("player_day", "player_id is never null"),
        ("organization_day", "local_day is never null"),
        ("coach_day", UNIQUE),
        ("ledger_day", UNIQUE),
    )
    doubled = complaints(report)["coach_day", UNIQUE]
    assert doubled.failing_rows == (
        {"utc_day": "2026-03-02", **again, "local_day": "2026-03-02", "copies": 2},
    )


def test_figures_that_cannot_be_stop_a_night_although_others_make_up_for_them(nights: Nights) -> None:
    nights.change(
        "player_day", {"saved_usd": None, "cost_usd": sa.text("cost_usd - 1")}, player_id="player-0"
    )
    nights.change("player_day", {"hit_rates_sum": Decimal("2.000001")}, player_id="player-0")
    nights.change(
        "player_day", {"cost_usd": sa.text("cost_usd + 1"), "input_tokens": 4300}, player_id="player-1"
    )
    nights.change("player_day", {"hit_rates_sum": Decimal("1.902437")}, player_id="player-1")
    nights.change(
        "player_day", {"input_tokens": -4100}, player_id="player-2"
    )  # and so more read than there was
    report = nights.check()
    assert_stopped(
        nights,
        report,
        ("player_day", "no figure is missing"),
        ("player_day", "only adjustments make a cost negative"),
        ("player_day", "hit rates are within 0..1"),
        ("player_day", "no count is negative"),
    )
    impossible = complaints(report)["player_day", "hit rates are within 0..1"]
    assert {row["player_id"] for row in impossible.failing_rows} == {"player-0", "player-2"}
    cost = complaints(report)["player_day", "only adjustments make a cost negative"]
    assert cost.failing_rows[0]["cost_usd"] == "-0.999876543211"


def test_unknown_organisations_far_days_and_unknown_words_stop_a_night(nights: Nights) -> None:
    clubs = ("organization_day", "coach_day", "player_day", "outcome_day")
    for table in clubs:
        nights.change(table, {"organization_id": "ghost", "local_day": sa.text("utc_day - 2")})
    nights.change("platform_day", {"lane": "slow", "service_tier": "gold"})
    report = nights.check()
    assert_stopped(
        nights,
        report,
        *((table, KNOWN) for table in clubs),
        *((table, NEAR) for table in clubs),
        ("platform_day", "lane is a known one"),
        ("platform_day", "service_tier is a known one"),
    )
    assert complaints(report)["player_day", KNOWN].failing_rows == (
        {"organization_id": "ghost", "rows": 3, "first_utc_day": "2026-03-02", "last_utc_day": "2026-03-02"},
    )


def test_a_vanished_row_and_a_wrong_last_digit_stop_a_night(nights: Nights) -> None:
    nights.remove("player_day", player_id="player-2")
    nights.remove("coach_day")
    nights.change("organization_day", {"cost_usd": sa.text("cost_usd + 0.000000000001")})
    report = nights.check()
    assert_stopped(
        nights,
        report,
        ("player_day", FIGURES),
        ("coach_day", DAYS),
        ("coach_day", FIGURES),
        ("organization_day", FIGURES),
    )
    short = {row["figure"]: row for row in complaints(report)["player_day", FIGURES].failing_rows}
    assert len(short) == 10, "all but the adjustments, of which there are none"
    attempts = {"rollup": "6", "ledger": "9", "difference": "-3"}
    assert short["attempts"] == {"utc_day": "2026-03-02", "figure": "attempts", **attempts}
    assert short["cost_usd"]["difference"] == "-0.000123456789"
    assert complaints(report)["coach_day", DAYS].failing_rows == (
        {"utc_day": "2026-03-02", "in_rollup": False, "in_ledger": True, "taken": True},
    )
    cost = {"rollup": "0.000370370368", "ledger": "0.000370370367", "difference": "0.000000000001"}
    assert complaints(report)["organization_day", FIGURES].failing_rows == (
        {"utc_day": "2026-03-02", "figure": "cost_usd", **cost},
    )


def test_a_wrong_last_digit_of_a_sum_that_no_float_holds_stops_a_night(nights: Nights) -> None:
    for table in (*USAGE, "ledger_day"):
        nights.change(table, {"cost_usd": Decimal("123456789012345.000000000003")})
    third = Decimal("41152263004115.000000000001")
    nights.change("player_day", {"cost_usd": third})
    nights.change("platform_day", {"cost_usd": Decimal("123456789012345.000000000002")})
    report = nights.check()
    assert_stopped(nights, report, ("platform_day", FIGURES))
    assert only(report).failing_rows[0]["difference"] == "-0.000000000001"


def test_outcomes_that_cannot_be_stop_a_night(nights: Nights) -> None:
    nights.change("outcome_day", {"state": "delivered", "number": None}, state="parked")
    nights.change("outcome_day", {"state": "skipped", "number": -1}, subject="summary")
    goal = {"organization_id": "club", "local_day": DAY, "subject": "goal", "state": "x", "decision": ""}
    nights.add(
        "outcome_day", {**goal, "number": 1}, {**goal, "utc_day": TODAY, "subject": "insight", "number": 1}
    )
    nights.change("outcome_day", {"state": "pending"}, utc_day=TODAY)
    assert_stopped(
        nights,
        nights.check(),
        ("outcome_day", "an insight's state is a known one"),
        ("outcome_day", "a summary's state is a known one"),
        ("outcome_day", "subject is a known one"),
        ("outcome_day", "number is never null"),
        ("outcome_day", "number is not negative"),
        ("outcome_day", TAKEN),
    )


def test_days_that_the_run_has_not_taken_stop_a_night_as_their_old_rows_would_stay(nights: Nights) -> None:
    nights.execute("UPDATE rollup_run SET days = ARRAY[CAST(:day AS date)]", day=TODAY)
    assert_stopped(nights, nights.check(), *((table, DAYS) for table in USAGE), ("outcome_day", TAKEN))
    assert only(nights.check("c-3")).failing_rows == ({"run": "c-3"},), "it has taken no day at all"
    with pytest.raises(BadInput):
        nights.check("c-3' OR true --")


def test_a_ledger_that_has_lost_rows_stops_a_night_whatever_an_earlier_try_has_found(nights: Nights) -> None:
    nights.stage(day=TODAY)
    nights.published(DAY, 9)
    nights.published(TODAY, 4)
    assert nights.check().complaints == (), "as many as were published, or more"
    nights.execute("UPDATE rollup_day SET ledger_rows = ledger_rows + 1")
    for table in (*USAGE, "ledger_day"):
        nights.remove(table, utc_day=TODAY)
    report = nights.check()
    assert_stopped(nights, report, ("ledger_day", SHRUNK))
    assert only(report).failing_rows == (
        {"utc_day": "2026-03-02", "published_rows": 10, "ledger_rows": "9", "published_by": "earlier"},
        {"utc_day": "2026-03-03", "published_rows": 5, "ledger_rows": "0", "published_by": "earlier"},
    )


def test_wrong_prices_stop_a_night_and_those_of_another_list_are_told(nights: Nights) -> None:
    nights.add("price_gap", *({**GAP, "attempt_id": f"attempt-{number:03}"} for number in range(250)))
    no_price = {"model": "claude-next", "allowed_usd": None, "same_list": False}
    nights.add("price_gap", {**GAP, **no_price}, {**GAP, "price_version": "last year's", "same_list": False})
    report = nights.check()
    assert not report.publishable
    assert report.to_json() == {"passed": CHECKS - 2, "failed": 1, "warned": 1}
    wrong, other = report.complaints
    assert (wrong.name, wrong.result, wrong.failing) == (PRICE, CheckResult.FAILED, 251)
    assert len(wrong.failing_rows) == SAMPLE_ROWS
    assert wrong.failing_rows[0]["cost_usd"] == "0.000120000001"
    assert (other.name, other.result, other.failing) == (OTHER_LIST, CheckResult.WARNED, 1)
    kept = nights.kept()["price_gap", OTHER_LIST]
    assert (kept.result, kept.critical, kept.failing) == (CheckResult.WARNED, False, 1)


def test_a_past_day_that_is_unlike_its_weekday_warns(nights: Nights) -> None:
    """Nine attempts are staged of each day, and these were published of the four weeks before it."""
    weeks_before = {
        1: (4, 4, 5, 5),  # on average 4.5
        2: (4, 4, 4, 5),  # a little less
        3: (0, 0, 36, 36),  # 18
        4: (18, 18, 18, 19),  # a little more
        5: (99, 99, 99),  # and one week that was never published
        0: (99, 99, 99, 99),  # today is not over
    }
    for days_ago, weeks in weeks_before.items():
        day = TODAY - timedelta(days=days_ago)
        if day != DAY:
            nights.stage(day=day)
        for number, attempts in enumerate(weeks, start=1):
            nights.published(day - timedelta(weeks=number), attempts)
    report = nights.check()
    assert report.publishable
    assert (only(report).name, only(report).result) == (VOLUME, CheckResult.WARNED)
    assert only(report).failing_rows == (
        {"utc_day": "2026-02-27", "attempts": "9", "usual_attempts": "18.25"},
        {"utc_day": "2026-03-01", "attempts": "9", "usual_attempts": "4.25"},
    )
