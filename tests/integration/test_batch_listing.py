"""Batches as they are listed and shown: each once, with what became of its items."""

from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from core.errors import BadInput
from core.states import BatchState
from tasks import listing
from tests.integration.stored_rows import AT, Rows
from tests.integration.test_listing import pages


def test_batches_are_listed_in_the_order_they_were_made_each_once_and_by_state(rows: Rows) -> None:
    """Times repeat, so that pages end between rows of the same moment."""
    made = [
        rows.batch(
            batch_id=f"b{n * 5 % 9}",
            created_at=AT + timedelta(seconds=n // 3),
            state=list(BatchState)[n % 2],
            vendor_id=f"msgbatch_{n}",
        )
        for n in range(9)
    ]
    in_order = [batch_id for at in (0, 3, 6) for batch_id in sorted(made[at : at + 3])]
    for limit in (1, 2, 100):
        assert pages(listing.list_batches, rows.engine, "batch_id", limit) == in_order
    opened = pages(listing.list_batches, rows.engine, "batch_id", 2, state=BatchState.OPEN)
    assert opened == [batch_id for batch_id in in_order if made.index(batch_id) % 2]
    with pytest.raises(BadInput, match="no batch 'nobody' to start after"):
        listing.list_batches(rows.engine, after="nobody")


def test_a_batch_is_shown_with_what_became_of_its_items_and_what_they_cost(rows: Rows) -> None:
    """Of what is in flight the estimate is told."""
    insights = [rows.insight(state="in_batch") for _ in range(4)]
    batch_id = rows.batch((insights[0],), (insights[1], insights[2]), (insights[3],))
    rows.batch((rows.insight(state="in_batch"),))
    exact = Decimal("0.000000000005")
    with rows.engine.begin() as connection:
        connection.execute(
            sa.text(
                "UPDATE ai_usage_log SET outcome = 'succeeded', cost_usd = :usd WHERE attempt_id IN"
                " (SELECT attempt_id FROM batch_item WHERE NOT 'insight-0004' = ANY(insight_ids))"
                " AND batch_id = :batch_id"
            ),
            {"usd": exact, "batch_id": batch_id},
        )
    shown = listing.show_batch(rows.engine, batch_id)
    assert (shown["state"], shown["requests"], shown["kind"], shown["due_at"]) == ("sent", 3, "main", AT)
    assert shown["outcomes"] == [
        {"outcome": "sent", "outcome_reason": None, "items": 1, "cost_usd": "0.0005"},
        {"outcome": "succeeded", "outcome_reason": None, "items": 2, "cost_usd": "0.00000000001"},
    ]
