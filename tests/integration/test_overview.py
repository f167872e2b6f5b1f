"""What the overview reads: everything that needs a person, out of the database and the spool, and no more."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.overview import Overview, needs_of
from database.engine import connect_async
from models import tables
from tasks.overview import read_overview
from tasks.spool import spool_folder
from tests.integration.rolled_up import url_of
from tests.integration.stored_rows import AT, Rows

NOW = AT + timedelta(hours=12)  # seven in the morning


def overview(rows: Rows, home: Path = Path("/nowhere"), now: datetime = NOW) -> Overview:
    """Read it as of a time."""

    async def read() -> Overview:
        engine = connect_async(url_of(rows), connections=1)
        try:
            return await read_overview(engine, now, home)
        finally:
            await engine.dispose()

    return asyncio.run(read())


def a_run(rows: Rows, run_id: str, started_at: datetime = AT, **values: Any) -> None:
    """A run's row, ended with five insights unless said otherwise."""
    ended = {"ended_at": started_at + timedelta(minutes=5), "insights": 5, "calls": 2}
    row = {"run_id": run_id, "lane": "live", "model": "claude-haiku-5-5", "started_at": started_at}
    rows.insert(tables.SummaryRun, row | ended | {"billed_usd": Decimal("0.5"), **values})


def a_rollup(rows: Rows, run_id: str, days: int = 1, *, failing: str | None = None, **values: Any) -> None:
    """A try of a rollup of the days up to that of `AT`; with a failing check it was refused."""
    row = {
        "run_id": run_id,
        "flow_run_id": f"flow of {run_id}",
        "started_at": AT,
        "ended_at": AT + timedelta(minutes=1),
        "days": [(AT - timedelta(days=day)).date() for day in range(days)],
        "staged_rows": {},
        "published": failing is None,
    }
    rows.insert(tables.RollupRun, row | values)
    if failing is not None:
        check = {"run_id": run_id, "name": failing, "staged_table": "staged_player_day", "critical": True}
        rows.insert(
            tables.QualityCheck,
            check | {"checked_at": AT, "result": "failed", "failing": 1, "failing_rows": []},
        )


def test_runs_of_the_last_day_are_there_with_cost_and_hit_rate_and_idle_ones_are_counted(rows: Rows) -> None:
    tokens: dict[str, Any] = {"input_tokens": 100, "cache_read_tokens": 300}
    rows.attempt(flow_run_id="new", **tokens)
    rows.attempt(flow_run_id="running", cost_usd=Decimal("0.25"), outcome="succeeded", **tokens)
    a_run(rows, "new")
    a_run(rows, "running", AT + timedelta(hours=11), ended_at=None, insights=None, billed_usd=None)
    a_run(rows, "idle", insights=0, billed_usd=Decimal(0))
    a_run(rows, "old", NOW - timedelta(hours=25))
    a_rollup(rows, "night", days=2)
    found = overview(rows)
    assert [run.flow_run_id for run in found.runs] == ["running", "new", "flow of night"]
    running, new, night = found.runs
    assert (new.cost_usd, new.cache_hit_rate, new.insights) == (Decimal("0.5"), Decimal("0.75"), 5)
    assert (running.cost_usd, running.insights, running.never_ended) == (Decimal("0.25"), None, False)
    assert (night.days, night.published, night.cost_usd) == (2, True, None)
    assert (found.idle_runs, found.cost_usd, found.insights) == (1, Decimal("0.75"), 5)


def test_parked_insights_and_waiting_summaries_are_counted(rows: Rows) -> None:
    for reason in ("refusal", "refusal", "answer_truncated"):
        rows.insight(state="parked", state_reason=reason)
    rows.insight()
    rows.summary(created_at=AT - timedelta(days=3))
    rows.summary()
    for state in ("auto_approved", "approved", "suppressed"):
        rows.summary(state=state)
    found = overview(rows)
    assert found.parked == {"refusal": 2, "answer_truncated": 1}
    waiting = (found.to_review, found.reviewing_coaches, found.review_since)
    assert waiting == (2, 1, AT - timedelta(days=3))


def test_batches_past_their_time_are_counted_as_long_as_they_are_open(rows: Rows) -> None:
    rows.batch(due_at=NOW - timedelta(hours=1))
    rows.batch(due_at=NOW + timedelta(hours=1))
    rows.batch(due_at=NOW - timedelta(hours=2), state="collected")
    found = overview(rows)
    assert (found.batches_overdue, found.overdue_since) == (1, NOW - timedelta(hours=1))


def test_a_run_has_never_ended_when_it_is_silent_for_hours_and_nothing_of_it_is_open(rows: Rows) -> None:
    for run_id in ("killed", "working", "waiting"):
        a_run(rows, run_id, ended_at=None, insights=None)
    a_run(rows, "young", NOW - timedelta(minutes=30), ended_at=None, insights=None)
    rows.attempt(flow_run_id="working", recorded_at=NOW - timedelta(minutes=1))
    rows.batch(run_id="waiting", due_at=NOW + timedelta(hours=1))
    a_rollup(rows, "killed", ended_at=None, published=False)
    found = overview(rows)
    assert [run.flow_run_id for run in found.never_ended] == ["killed", "flow of killed"]
    assert len(overview(rows, now=NOW + timedelta(days=3)).never_ended) == 0


def test_a_refused_rollup_needs_somebody_until_all_its_days_are_published(rows: Rows) -> None:
    a_rollup(rows, "refused", days=2, failing="every organisation is known")
    found = overview(rows).refused
    assert found is not None
    assert (found.flow_run_id, found.days) == ("flow of refused", 2)
    assert found.checks == ["every organisation is known"]
    first, last = AT.date() - timedelta(days=1), AT.date()
    day = {"run_id": "later", "published_at": NOW, "price_version": "1", "ledger_rows": 0}
    rows.insert(tables.RollupDay, day | {"utc_day": first})
    assert overview(rows).refused is not None
    rows.insert(tables.RollupDay, day | {"utc_day": last})
    assert overview(rows).refused is None


def test_marked_days_are_counted_once_they_should_have_been_rolled_up(rows: Rows) -> None:
    rows.attempt()
    assert overview(rows).marked_days == 0  # the night is not over
    late = overview(rows, now=NOW + timedelta(days=1))
    assert (late.marked_days, late.first_marked, late.published_at) == (1, AT.date(), None)
    a_rollup(rows, "night", days=1)
    assert overview(rows, now=NOW + timedelta(days=1)).published_at == AT + timedelta(minutes=1)


def test_what_lies_in_the_spool_is_counted(rows: Rows, tmp_path: Path) -> None:
    folder = spool_folder(tmp_path)
    folder.mkdir()
    for name in ("one.json", "two.json", "bad.unreadable", "half.tmp"):
        (folder / name).write_text("{}")
    found = overview(rows, tmp_path)
    assert (found.spool_waiting, found.spool_unreadable) == (2, 1)


def test_an_empty_database_needs_nobody(rows: Rows) -> None:
    with rows.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM insight")).scalar_one() == 0
    found = overview(rows)
    assert list(found.runs) == []
    assert list(needs_of(found, lambda flow_run_id, words: words)) == []
