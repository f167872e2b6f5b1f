"""The overview: one page of what the last day came to and what needs a person. Ids and counts only."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from prefect.artifacts import acreate_markdown_artifact
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from core.overview import (
    KILLED_AFTER,
    LOOKS_BACK,
    MARKED_AFTER,
    Overview,
    Refused,
    RunLine,
    headline,
    overview_markdown,
)
from models.sql import load
from tasks.run_page import run_link, shown
from tasks.spool import spool_folder

OVERVIEW_KEY = "overview"
NEVER_ENDED_FOR = timedelta(days=2)  # so long a run that was killed is shown
QUERIES = load("overview.sql")


async def publish_overview(engine: AsyncEngine, now: datetime, home: Path) -> None:
    """Show the overview as of now, in the place of the one before."""
    async with shown("the overview"):
        overview = await read_overview(engine, now, home)
        await acreate_markdown_artifact(
            key=OVERVIEW_KEY,
            markdown=overview_markdown(overview, run_link),
            description=headline(overview),
        )


async def read_overview(engine: AsyncEngine, now: datetime, home: Path) -> Overview:
    """Read what the page shows: the database in one snapshot, and the spool of this machine."""
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ")
        async with connection.begin():
            return await _read(connection, now, *await asyncio.to_thread(count_spool, home))


def count_spool(home: Path) -> tuple[int, int]:
    """Return how many settled attempts wait in the spool, and how many of its files cannot be read."""
    folder = spool_folder(home)
    return len(list(folder.glob("*.json"))), len(list(folder.glob("*.unreadable")))


async def _read(connection: AsyncConnection, now: datetime, waiting: int, unreadable: int) -> Overview:
    asked = {
        "now": now,
        "since": now - NEVER_ENDED_FOR,
        "killed_before": now - KILLED_AFTER,
        "marked_before": (now - MARKED_AFTER).date(),
    }
    found = {
        name: (await connection.execute(QUERIES[name], asked)).all()
        for name in ("runs", "rollups", "parked", "to_review", "overdue", "marked", "refused")
    }
    lines = [_run_line(row) for row in found["runs"]] + [_rollup_line(row) for row in found["rollups"]]
    lines.sort(key=lambda line: line.started_at, reverse=True)
    idle = await connection.execute(QUERIES["idle_runs"], asked | {"since": now - LOOKS_BACK})
    (to_review,), (overdue,), (marked,) = (found[name] for name in ("to_review", "overdue", "marked"))
    return Overview(
        now=now,
        runs=[line for line in lines if line.started_at > now - LOOKS_BACK],
        idle_runs=idle.scalar_one(),
        parked={row.reason: row.insights for row in found["parked"]},
        to_review=to_review.summaries,
        reviewing_coaches=to_review.coaches,
        review_since=to_review.since,
        batches_overdue=overdue.batches,
        overdue_since=overdue.since,
        never_ended=[line for line in lines if line.never_ended],
        marked_days=marked.days,
        first_marked=marked.first_day,
        published_at=marked.published_at,
        first_run_at=marked.first_run_at,
        refused=next((Refused(**row._mapping) for row in found["refused"]), None),
        spool_waiting=waiting,
        spool_unreadable=unreadable,
    )


def _run_line(row: Row[Any]) -> RunLine:
    return RunLine(
        flow_run_id=row.run_id,
        kind=row.lane,
        started_at=row.started_at,
        ended_at=row.ended_at,
        insights=row.insights,
        cost_usd=row.cost_usd,
        cache_hit_rate=row.cache_hit_rate,
        stopped=row.stopped,
        never_ended=row.never_ended,
    )


def _rollup_line(row: Row[Any]) -> RunLine:
    return RunLine(
        flow_run_id=row.flow_run_id,
        kind="rollup",
        started_at=row.started_at,
        ended_at=row.ended_at,
        days=row.days,
        published=row.published,
        checks_failed=row.failed,
        never_ended=row.never_ended,
    )
