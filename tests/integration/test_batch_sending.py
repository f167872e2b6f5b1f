"""A batch as it is sent: not too large, together what is due together, and only what is still ours."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.calls import PlannedCall
from core.retry import Stop
from core.states import BatchKind
from tasks.batches import Outbox, send_batch
from tasks.config import set_setting
from tasks.run import Run
from tasks.surveys import Scope, in_reach
from tests.integration.batch_vendor import batch_vendor
from tests.integration.night_run import DUE_AT, claimed_calls, stored, tell, waiting
from tests.integration.stored_rows import Rows
from tests.integration.workers import START


async def outbox(run: Run, bytes_max: int = 1_000_000) -> Outbox:
    return Outbox(run, (await in_reach(run.transactions, Scope(), START)).clubs, bytes_max)


def told_of(call: PlannedCall) -> Any:
    """The call as it arrives."""
    return json.loads(json.dumps(call.body()))


def test_a_batch_goes_out_before_it_is_too_large_and_a_call_that_is_larger_than_all_goes_alone(
    rows: Rows, home: Path
) -> None:
    waiting(rows, [1] * 7)

    async def story(run: Run) -> None:
        calls = await claimed_calls(run)
        (small,) = {len(json.dumps(call.body())) for call in calls}
        calls[3] = replace(calls[3], notes=("x" * 2 * small,))
        box = await outbox(run, bytes_max=2 * small)
        for call in calls:
            await box.add(call)
        assert len(vendor.batches) == len(box.sent) == 4, "the last one may yet have room"
        await box.send_all()
        sent = [[one["params"] for one in requests] for requests in vendor.batches]
        assert [len(batch) for batch in sent] == [2, 1, 1, 2, 1]
        assert [one for batch in sent for one in batch] == [told_of(call) for call in calls]
        told = stored(rows, "SELECT batch_id, requests FROM message_batch ORDER BY vendor_id")
        assert told == [(one, len(batch)) for one, batch in zip(box.sent, sent, strict=True)]

    with batch_vendor() as vendor:
        tell(rows, home, story, base_url=vendor.base_url)


def test_what_is_due_at_another_time_goes_in_another_batch_and_nothing_goes_after_a_stop(
    rows: Rows, home: Path
) -> None:
    clubs = {"club": "UTC", "dublin": "Europe/Dublin", "new-york": "America/New_York"}
    for club in ("dublin", "new-york"):
        rows.club(club, clubs[club])
    set_setting(rows.engine, "summaries_due", "05:30", "dublin", changed_by="test", now=START)
    for club in clubs:
        waiting(rows, [1, 1], club)

    async def story(run: Run) -> None:
        box, after_a_stop = await outbox(run), await outbox(run)
        for call in await claimed_calls(run):
            await box.add(call)
            await after_a_stop.add(call)
        run.stopped = Stop("spend_limit", 60.0)
        await after_a_stop.send_all()
        assert (vendor.batches, after_a_stop.sent) == ([], [])
        run.stopped = None
        await box.send_all()

    with batch_vendor() as vendor:
        tell(rows, home, story, base_url=vendor.base_url)
    found = stored(
        rows,
        "SELECT due_at, min(organization_id), count(*), count(DISTINCT organization_id) FROM message_batch"
        " JOIN ai_usage_log USING (batch_id) GROUP BY batch_id, due_at ORDER BY min(vendor_id)",
    )
    day = datetime(2026, 11, 23, tzinfo=UTC)
    assert found == [
        (day + timedelta(hours=5, minutes=30), "dublin", 2, 1),
        (day + timedelta(hours=7), "club", 2, 1),
        (day + timedelta(hours=12), "new-york", 2, 1),
    ]


def test_what_others_have_taken_over_meanwhile_is_neither_written_down_nor_sent(
    rows: Rows, home: Path
) -> None:
    (mine, taken), (gone,), (kept,) = waiting(rows, [2, 1, 1])

    async def story(run: Run) -> None:
        calls = await claimed_calls(run, insights_per_call=2)
        with rows.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE coach SET id = 'moved' WHERE id = 'coach-club'")
            connection.exec_driver_sql("UPDATE insight SET claimed_by = 'other' WHERE id = %s", (taken,))
            connection.exec_driver_sql(
                "UPDATE insight SET state = 'pending', claimed_by = NULL, lease_until = NULL WHERE id = %s",
                (gone,),
            )
        assert await send_batch(run, calls, BatchKind.MAIN, due_at=DUE_AT)
        by_id = {call.insights[0].id: call for call in calls}
        ours = [by_id[mine].only({mine}), by_id[kept]]
        (sent,) = vendor.batches
        assert len(sent) == len(ours)
        assert all(told_of(call) in [one["params"] for one in sent] for call in ours)
        before = snapshot(rows)
        assert await send_batch(run, calls, BatchKind.MAIN, due_at=DUE_AT) is None, "no longer claimed"
        assert (len(vendor.batches), snapshot(rows)) == (1, before)

    with batch_vendor() as vendor:
        tell(rows, home, story, base_url=vendor.base_url)
    assert stored(rows, "SELECT requests, state, vendor_id FROM message_batch") == [(2, "open", "msgbatch_1")]
    items = stored(rows, "SELECT insight_ids, coach_id FROM batch_item JOIN ai_usage_log USING (attempt_id)")
    assert sorted(items) == [([mine], "moved"), ([kept], "moved")]
    assert sorted(stored(rows, "SELECT insight_id FROM ai_usage_insight")) == [(mine,), (kept,)]
    assert sorted(stored(rows, "SELECT id, state, claimed_by FROM insight")) == [
        (mine, "in_batch", None),
        (taken, "claimed", "other"),
        (gone, "pending", None),
        (kept, "in_batch", None),
    ]


def snapshot(rows: Rows) -> list[Any]:
    tables = ("message_batch", "batch_item", "ai_usage_log", "ai_usage_insight", "insight")
    return [sorted(map(str, stored(rows, f"SELECT * FROM {table}"))) for table in tables]  # noqa: S608
