"""Which days are marked by which change, and that a marked day is then told anew."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from models import tables
from tasks.analytics import org_usage
from tests.integration.rolled_up import (
    assert_calls_equal_the_ledgers,
    marked_days,
    move,
    rolled_up,
    url_of,
)
from tests.integration.stored_rows import AT, Rows


def test_late_rows_reopen_their_day_and_the_days_whose_calls_they_open(rows: Rows) -> None:
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    rows.attempt(call_id="retried", occurred_at=midnight + timedelta(hours=1))
    rows.attempt(occurred_at=midnight + timedelta(days=5))
    rolled_up(url_of(rows))
    rows.attempt(call_id="retried", occurred_at=midnight - timedelta(hours=1), outcome="unusable")
    assert marked_days(rows.engine) == [date(2026, 3, 2), date(2026, 3, 3)]
    rolled_up(url_of(rows))
    with rows.engine.connect() as connection:
        asked = sa.text("SELECT utc_day, calls, attempts FROM rollup_platform_day ORDER BY utc_day")
        assert [tuple(row) for row in connection.execute(asked)] == [
            (date(2026, 3, 2), 1, 1),
            (date(2026, 3, 3), 0, 1),
            (date(2026, 3, 8), 1, 1),
        ]


@pytest.mark.parametrize(
    "change", ["occurred_at = '2026-03-09T12:00Z'", "call_id = 'another'", "organization_id = 'other'"]
)
def test_an_attempt_that_leaves_its_call_reopens_the_days_of_the_others(rows: Rows, change: str) -> None:
    rows.club("other")
    first = rows.attempt(call_id="retried", occurred_at=AT, outcome="unusable")
    rows.attempt(call_id="retried", occurred_at=AT + timedelta(days=2))
    rolled_up(url_of(rows))
    with rows.engine.begin() as connection:
        statement = f"UPDATE ai_usage_log SET {change} WHERE attempt_id = :id"  # noqa: S608
        connection.execute(sa.text(statement), {"id": first})
    assert (AT + timedelta(days=2)).date() in marked_days(rows.engine)
    rolled_up(url_of(rows))
    assert_calls_equal_the_ledgers(rows)


def test_a_settlement_reopens_its_day_alone(rows: Rows) -> None:
    attempt_id = rows.attempt(call_id="retried", occurred_at=AT, outcome="sent", cost_usd=None)
    rows.attempt(call_id="retried", occurred_at=AT + timedelta(days=2))
    rolled_up(url_of(rows))
    with rows.engine.begin() as connection:
        settled = "UPDATE ai_usage_log SET outcome = 'succeeded', cost_usd = 0.0001 WHERE attempt_id = :id"
        connection.execute(sa.text(settled), {"id": attempt_id})
    assert marked_days(rows.engine) == [AT.date()]


def test_a_club_that_moves_is_rolled_up_anew_by_its_new_days(rows: Rows) -> None:
    late = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    rows.attempt(occurred_at=late)
    rows.insight(created_at=late)
    rolled_up(url_of(rows))
    move(rows, "club", "UTC")  # where it is
    assert marked_days(rows.engine) == []
    move(rows, "club", "Asia/Kolkata")
    assert marked_days(rows.engine) == marked_days(rows.engine, "outcomes") == [date(2026, 3, 2)]
    rolled_up(url_of(rows))
    for name in ("rollup_player_day", "rollup_outcome_day"):
        with rows.engine.connect() as connection:
            asked = sa.text(f"SELECT utc_day, local_day FROM {name}")  # noqa: S608
            assert connection.execute(asked).one() == (date(2026, 3, 2), date(2026, 3, 3))


def test_a_club_that_moves_while_a_day_is_rolled_up_has_it_marked_in_the_end(rows: Rows) -> None:
    with rows.engine.begin() as mover:
        mover.execute(sa.text("UPDATE organization SET timezone = 'Asia/Kolkata'"))
        rows.attempt()
        rolled_up(url_of(rows))
    assert marked_days(rows.engine) == [AT.date()]


def test_a_day_whose_savings_are_by_another_price_list_is_rolled_up_again(rows: Rows) -> None:
    rows.attempt()
    rolled_up(url_of(rows))
    told = org_usage(rows.engine, "club", AT.date(), AT.date() + timedelta(days=1))
    with rows.engine.begin() as connection:
        connection.execute(sa.text("UPDATE rollup_day SET price_version = 'an older list'"))
        connection.execute(sa.text("UPDATE rollup_organization_day SET saved_usd = 7"))
    assert org_usage(rows.engine, "club", AT.date(), AT.date() + timedelta(days=1)) == told
    assert rolled_up(url_of(rows)).days == (AT.date(),)
    assert org_usage(rows.engine, "club", AT.date(), AT.date() + timedelta(days=1)) == told
    assert rolled_up(url_of(rows)).days == ()


def test_outcomes_follow_insights_and_summaries_as_they_change(rows: Rows) -> None:
    made = rows.summary(state="pending_review", created_at=AT + timedelta(days=1))
    waiting = rows.insight(created_at=AT)
    rolled_up(url_of(rows))
    assert outcomes(rows) == {
        (AT.date(), "insight", "summarized", ""): 1,
        (AT.date(), "insight", "pending", ""): 1,
        ((AT + timedelta(days=1)).date(), "summary", "pending_review", "review"): 1,
    }
    with rows.engine.begin() as connection:
        connection.execute(sa.text("UPDATE insight SET missed_due = true"))
    assert marked_days(rows.engine, "outcomes") == []
    with rows.engine.begin() as connection:
        parked = sa.text("UPDATE insight SET state = 'parked', state_reason = 'refused' WHERE id = :id")
        connection.execute(parked, {"id": waiting})
    rows.event(made, "approve", "pending_review", "approved")
    assert marked_days(rows.engine, "outcomes") == [AT.date(), (AT + timedelta(days=1)).date()]
    assert marked_days(rows.engine) == []  # usage is not touched
    rolled_up(url_of(rows))
    assert outcomes(rows) == {
        (AT.date(), "insight", "summarized", ""): 1,
        (AT.date(), "insight", "parked", ""): 1,
        ((AT + timedelta(days=1)).date(), "summary", "approved", "review"): 1,
    }


def outcomes(rows: Rows) -> dict[tuple[Any, ...], int]:
    with rows.engine.connect() as connection:
        found = connection.execute(sa.select(tables.RollupOutcomeDay)).mappings()
        return {
            (row["utc_day"], row["subject"], row["state"], row["decision"]): row["number"] for row in found
        }


@pytest.mark.parametrize("statement", ["DELETE FROM ai_usage_log", "TRUNCATE ai_usage_log CASCADE"])
def test_the_ledger_refuses_to_lose_rows(rows: Rows, statement: str) -> None:
    rows.attempt()
    with pytest.raises(sa.exc.IntegrityError, match="only grows"), rows.engine.begin() as connection:
        connection.execute(sa.text(statement))
