"""A flow run by hand, in this process, with its progress on stderr."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from cli.bill import print_run
from cli.output import complain, print_json
from cli.prefect_api import prefect_api
from cli.progress import progress
from cli.session import open_database, read_settings
from core.states import Lane

if TYPE_CHECKING:
    import sqlalchemy as sa

    from core.report import RunReport
    from tasks.run import Watch

    StartFlow = Callable[[Watch], Coroutine[Any, Any, RunReport]]


NEXT_STEPS = {"generation_off": " Switch it on with: touchline config set generation on [--org ID]"}


def run_by_hand(count: "Callable[[sa.Engine], int]", start: "StartFlow") -> "RunReport":
    """Run a flow to its end; `count` says how many insights it may take, `start` needs Prefect there."""
    with open_database() as engine:
        due = count(engine)
        with prefect_api(read_settings().home), progress(due) as watch:
            from prefect.exceptions import TerminationSignal

            try:
                return asyncio.run(start(watch))
            except TerminationSignal as ended:  # Prefect's own way of being told to end
                sys.exit(128 + ended.signal)


def count_due(engine: "sa.Engine", organization: str | None, limit: int | None) -> int:
    """Count what a run may take. Raises BadInput for an unknown organization."""
    from tasks.listing import count_by_state, find_organization

    if organization is not None:
        with engine.connect() as connection:
            find_organization(connection, organization)
    counts = count_by_state(engine, organization)
    due = counts.get("pending", 0) + counts.get("deferred", 0)
    return due if limit is None else min(due, limit)


def tell_where_insights_wait(lane: Lane) -> None:
    """Say, when nothing was due in one lane, how many insights wait for the other, or for their time."""
    from tasks.listing import count_by_state

    with open_database() as engine:
        counts = count_by_state(engine)
    waiting = {state: counts[state] for state in ("pending", "deferred", "in_batch") if counts.get(state)}
    if waiting:
        told = ", ".join(f"{number} {state}" for state, number in waiting.items())
        complain(
            f"Nothing was due in the {lane} lane, but insights wait: {told}. A club's lane is set with: "
            "touchline config set lane live|overnight|auto [--org ID]"
        )


def print_report(report: "RunReport", *, as_json: bool, lane: Lane | None = None) -> None:
    """Show what a run did; exits with 3 when a limit stopped it, 1 when something else did.

    Told the lane, it says where insights wait that the run could not take.
    """
    if as_json:
        print_json(report.to_json())
    else:
        print_run(report)
    if lane is not None and not report.insights:
        tell_where_insights_wait(lane)
    if report.stopped is not None:
        complain(
            f"The run was stopped ({report.stopped.cause}); what was claimed is deferred, nothing is lost."
            f"{NEXT_STEPS.get(report.stopped.cause, '')}"
        )
        sys.exit(3 if report.stopped.is_limit else 1)
