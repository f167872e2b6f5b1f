"""What an organisation used: exact sums, prices by size of prompt, zeros for nothing, names and ties."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from core.errors import BadInput
from core.pricing import price_of
from core.usage import Usage
from database.engine import connect
from tasks.analytics import org_usage
from tests.integration.stored_rows import AT, TOKENS, Rows


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    engine = connect(database_url)
    yield Rows(engine)
    engine.dispose()


def test_an_empty_range_has_the_same_keys_with_zeros_and_empty_lists(rows: Rows) -> None:
    rows.club(timezone="Asia/Kolkata")
    rows.attempt(occurred_at=AT)
    empty = org_usage(rows.engine, "club", date(2026, 5, 1), date(2026, 6, 1))
    assert empty == {
        "calls": 0,
        "attempts": 0,
        **dict.fromkeys(TOKENS, 0),
        "total_input_tokens": 0,
        "cache_hit_rate": 0.0,
        "average_cache_hit_rate": 0.0,
        "total_cost_usd": "0",
        "saved_usd": "0",
        "by_operation": [],
        "by_model": [],
        "top_coaches": [],
        "top_players": [],
        "daily": [],
        "from": "2026-05-01",
        "to": "2026-06-01",
        "time_zone": "Asia/Kolkata",
    }
    used = org_usage(rows.engine, "club", date(2026, 3, 1), date(2026, 3, 4))
    assert used.keys() == empty.keys()
    assert used["daily"] == [
        {"day": "2026-03-01", "calls": 0, "cost_usd": "0"},
        {"day": "2026-03-02", "calls": 0, "cost_usd": "0"},
        {"day": "2026-03-03", "calls": 1, "cost_usd": "0.00012"},
    ]


def test_a_prompt_over_the_bound_is_compared_with_its_own_dearer_price(rows: Rows) -> None:
    """Haiku 5.5: 100,000 tokens at the base price, 100,001 five times dearer, output too."""
    rows.club()
    for read in (99_999, 100_000):
        figures: dict[str, Any] = {"input_tokens": 1, "cache_read_tokens": read, "output_tokens": 10}
        price = price_of(Usage(1, read, output_tokens=10), model="claude-haiku-5-5", at=AT)
        rows.attempt(**figures, cost_usd=price.cost_usd)
    usage = org_usage(rows.engine, "club", date(2026, 3, 2), date(2026, 3, 3))
    per_million = (100_000 * Decimal("0.1") + 10 * Decimal("0.5")) + (
        100_001 * Decimal("0.5") + 10 * Decimal("2.5")
    )
    assert Decimal(usage["saved_usd"]) + Decimal(usage["total_cost_usd"]) == per_million / 1_000_000


def test_unsettled_money_is_its_estimate_and_saves_nothing(rows: Rows) -> None:
    rows.club()
    nothing: dict[str, Any] = dict.fromkeys(TOKENS, 0) | {"cost_usd": None, "cache_hit_rate": None}
    rows.attempt(outcome="sent", estimated_cost_usd=Decimal("0.000000000001"), **nothing)
    rows.attempt(outcome="lost", estimated_cost_usd=Decimal("0.000000000002"), **nothing)
    usage = org_usage(rows.engine, "club", date(2026, 3, 2), date(2026, 3, 3))
    assert (usage["total_cost_usd"], usage["saved_usd"], usage["calls"]) == ("0.000000000003", "0", 2)


def test_retries_are_attempts_of_one_call_counted_on_its_first_day(rows: Rows) -> None:
    rows.club()
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    for moment, outcome in ((midnight - timedelta(seconds=1), "unusable"), (midnight, "succeeded")):
        rows.attempt(call_id="retried", occurred_at=moment, outcome=outcome)
    free: dict[str, Any] = dict.fromkeys(TOKENS, 0) | {"cost_usd": Decimal(0), "cache_hit_rate": None}
    rows.attempt(occurred_at=midnight, outcome="rejected", **free)
    rows.attempt(occurred_at=midnight, outcome="adjustment", **free | {"cost_usd": Decimal("-0.00001")})
    first = org_usage(rows.engine, "club", date(2026, 3, 2), date(2026, 3, 3))
    second = org_usage(rows.engine, "club", date(2026, 3, 3), date(2026, 3, 4))
    both = org_usage(rows.engine, "club", date(2026, 3, 2), date(2026, 3, 4))
    assert [(used["calls"], used["attempts"]) for used in (first, second, both)] == [(1, 1), (1, 2), (2, 3)]
    assert both["total_cost_usd"] == "0.00023"
    assert second["average_cache_hit_rate"] == 0.97561


def test_the_five_dearest_have_names_and_ties_go_by_id(rows: Rows) -> None:
    rows.club()
    rows.coach("c2", "club", name="Ciarán Mac Giolla Chuda")
    for coach_id in ("c6", "c5", "c4", "c3", "c2", "C9"):
        rows.attempt(coach_id=coach_id, player_id=f"player of {coach_id}")
    rows.attempt(coach_id="c6", player_id="player of c6")
    usage = org_usage(rows.engine, "club", date(2026, 3, 2), date(2026, 3, 3))
    assert usage["top_coaches"] == [
        {"coach_id": "c6", "name": "c6", "calls": 2, "cost_usd": "0.00024"},
        {"coach_id": "C9", "name": "C9", "calls": 1, "cost_usd": "0.00012"},
        {"coach_id": "c2", "name": "Ciarán Mac Giolla Chuda", "calls": 1, "cost_usd": "0.00012"},
        {"coach_id": "c3", "name": "c3", "calls": 1, "cost_usd": "0.00012"},
        {"coach_id": "c4", "name": "c4", "calls": 1, "cost_usd": "0.00012"},
    ]
    assert [entry["player_id"] for entry in usage["top_players"]] == [
        f"player of {coach_id}" for coach_id in ("c6", "C9", "c2", "c3", "c4")
    ]


@pytest.mark.parametrize(
    ("organization_id", "from_day", "to_day", "told"),
    [
        ("nowhere", date(2026, 3, 1), date(2026, 3, 2), "no organization 'nowhere'"),
        ("club", date(2026, 3, 3), date(2026, 3, 2), "ends before it begins"),
        ("club", date(1926, 3, 3), date(2026, 3, 2), "too long"),
        ("club", date(1, 1, 1), date(1, 1, 2), "end of the calendar"),
    ],
)
def test_what_is_no_range_or_no_organization_is_refused(
    rows: Rows, organization_id: str, from_day: date, to_day: date, told: str
) -> None:
    rows.club(timezone="Asia/Kolkata")
    with pytest.raises(BadInput, match=told):
        org_usage(rows.engine, organization_id, from_day, to_day)
