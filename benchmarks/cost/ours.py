"""Touchline itself: its flows as they are, on a database of its own, in this process.

The environment says which database, and which Prefect server.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from anthropic.resources.messages import AsyncMessages

from benchmarks.cost.asked import Asked
from benchmarks.cost.emulator_clock import EmulatorClock, NightClock
from benchmarks.cost.job import Job, Told
from core.report import RunReport
from core.states import Lane
from flows.overnight import summarize_overnight
from flows.summarize import summarize_pending

PACKED = 5
FORESEEN = ("predicted", "predicted_given_answers")
MONEY = ("cost_usd", "floor_usd")

RunOf = Callable[[int], Coroutine[Any, Any, RunReport]]  # by the most insights of a call


def single(job: Job, asked: Sequence[Asked], told: Told) -> None:
    """One insight a call."""
    _run(job, told, insights_per_call=1)


def packed(job: Job, asked: Sequence[Asked], told: Told) -> None:
    """Up to five insights of one player a call."""
    _run(job, told, insights_per_call=PACKED)


def _run(job: Job, told: Told, insights_per_call: int) -> None:
    if job.record:
        _record(Path(job.record))
    run = _overnight(job) if job.lane == Lane.OVERNIGHT else _live(job)
    with told.timed():
        report = asyncio.run(run(insights_per_call))
    tell(told, [report])


def _live(job: Job) -> RunOf:
    clock = EmulatorClock(job.base_url) if job.follows_emulator else None
    return lambda insights_per_call: summarize_pending(insights_per_call=insights_per_call, clock=clock)


def _overnight(job: Job) -> RunOf:
    clock = NightClock(job.base_url)
    return lambda insights_per_call: summarize_overnight(insights_per_call=insights_per_call, clock=clock)


def tell(told: Told, reports: Sequence[RunReport]) -> None:
    """Note what the runs did and cost: each bill as the list of the runs' own."""
    told.summaries = sum(report.insights.get("summarized", 0) for report in reports)
    written = [report.to_json() for report in reports]
    told.steps = written[-1]["waterfall"]["steps"]
    told.bills = {
        name: {key: [bill[name][key] for bill in written] for key in MONEY} for name in ("billed", *FORESEEN)
    }


def _record(path: Path) -> None:
    """Write the arguments of every request to a file, on their way to the SDK."""
    create: Any = AsyncMessages.create

    async def recorded(self: AsyncMessages, *, stream: bool = False, **body: Any) -> Any:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(body) + "\n")
        return await (create(self, **body, stream=True) if stream else create(self, **body))

    AsyncMessages.create = recorded  # type: ignore[method-assign, assignment]
