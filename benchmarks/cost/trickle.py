"""A day on which insights trickle in and the flow runs every few minutes, on the emulator's clock.

Insights arrive evenly, each shifted within its own turn by a seeded chance. Before each run what has arrived
is loaded, and then the clock is moved on to the next one. A trickle lasts `hours` of the emulator's time: its
cold start is in the bill, of every contender alike.
"""

import asyncio
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from benchmarks.cost.asked import Asked, Row, read_rows
from benchmarks.cost.emulator_clock import EmulatorClock
from benchmarks.cost.job import Job, Told
from benchmarks.cost.ours import PACKED, tell
from benchmarks.cost.workloads import SEED
from core.prompt import sports
from core.report import RunReport
from core.settings import Settings
from database.engine import connect
from flows.summarize import summarize_pending
from tasks.season import ingest


def run_by_the_clock(job: Job, asked: Sequence[Asked], told: Told) -> None:
    """Load and run, load and run, until the time is over."""
    home, season = Path(os.environ["TOUCHLINE_HOME"]), Path(job.season)
    clock = EmulatorClock(job.base_url)
    reports: list[RunReport] = []
    people: Path | None = season  # loaded with the first insights
    for ends, arrived in _turns(job, clock.now()):
        clock.move_to(ends)
        if arrived:
            _load(arrived, people, home, ends)
            people = None
        with told.timed():
            report = asyncio.run(summarize_pending(insights_per_call=PACKED, clock=clock))
        reports.append(report)
    tell(told, reports)


def _turns(job: Job, begins: datetime) -> Iterator[tuple[datetime, list[Row]]]:
    """Give the time of each run, and what has arrived since the one before."""
    every = timedelta(minutes=job.minutes_between_runs)
    arriving = _arriving(job, begins)
    due = next(arriving, None)
    for run in range(1, job.hours * 60 // job.minutes_between_runs + 1):
        ends, arrived = begins + run * every, list[Row]()
        while due is not None and datetime.fromisoformat(due["created_at"]) <= ends:
            arrived.append(due)
            due = next(arriving, None)
        yield ends, arrived


def _arriving(job: Job, begins: datetime) -> Iterator[Row]:
    """Give the season's insights, each with the time at which it arrives."""
    rng, turn = Random(f"{SEED} arrivals"), timedelta(days=1) / job.insights_a_day
    for n, row in enumerate(read_rows(Path(job.season) / "insights.jsonl")):
        yield row | {"created_at": (begins + turn * (n + rng.random())).isoformat()}


def _load(rows: list[Row], people: Path | None, home: Path, now: datetime) -> None:
    """Load insights as a season of their own, the first time together with the people they are about."""
    url = Settings().database_url
    assert url is not None
    with TemporaryDirectory(dir=home) as folder:
        if people:
            shutil.copytree(people, folder, dirs_exist_ok=True)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (Path(folder) / "insights.jsonl").write_text(text, encoding="utf-8")
        engine = connect(url.get_secret_value())
        loaded = ingest(engine, Path(folder), home=home, sports=frozenset(sports()), now=now)
        engine.dispose()
    assert loaded.insights.inserted == len(rows), loaded
