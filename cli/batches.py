"""`touchline batches`: message batches, sent and collected; cancel or collect them by hand."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.output import (
    AfterOption,
    JsonOption,
    LimitOption,
    complain,
    console,
    print_facts,
    print_json,
    print_rows,
)
from cli.running import print_report, run_by_hand
from cli.session import open_database, read_settings
from core.states import BatchState

if TYPE_CHECKING:
    from collections.abc import Coroutine

    import sqlalchemy as sa

    from core.report import RunReport
    from tasks.run import Watch

COLUMNS = ("batch_id", "kind", "state", "requests")  # that fit a terminal
BatchArgument = Annotated[str, typer.Argument(help="The batch's id, as `touchline batches list` shows it.")]

app = typer.Typer(no_args_is_help=True, help="Message batches of the overnight lane.")


@app.command("list")
def list_batches(
    state: Annotated[BatchState | None, typer.Option(help="Only those in this state.")] = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    as_json: JsonOption = False,
) -> None:
    """List batches in the order they were made."""
    from tasks import listing

    with open_database() as engine:
        rows = listing.list_batches(engine, state=state, limit=limit, after=after)
    if as_json:
        print_json({"batches": rows})
    else:
        print_rows("Batches", rows, COLUMNS)


@app.command()
def show(batch_id: BatchArgument, as_json: JsonOption = False) -> None:
    """Show one batch, with what became of its items so far."""
    from tasks import listing

    with open_database() as engine:
        row = listing.show_batch(engine, batch_id)
    _print_batch(row, as_json)


@app.command()
def cancel(batch_id: BatchArgument, as_json: JsonOption = False) -> None:
    """Ask the API to end a batch; what it has not answered is pending again once the batch is collected."""
    from tasks import listing
    from tasks.canceling import cancel_by_hand
    from tasks.clock import SystemClock

    settings = read_settings()
    settings.require_api()
    with open_database() as engine:
        listing.show_batch(engine, batch_id)  # refuses one that is not there
        asyncio.run(cancel_by_hand(batch_id, settings=settings, clock=SystemClock()))
        row = listing.show_batch(engine, batch_id)
    _print_batch(row, as_json)
    if not as_json:
        console().print("The API has been asked to end it. Next: touchline batches collect")


@app.command()
def collect(as_json: JsonOption = False) -> None:
    """Settle what has ended of the open batches, whoever has sent them, and cancel what is due."""
    read_settings().require_api()

    def start(watch: "Watch") -> "Coroutine[Any, Any, RunReport]":
        from flows.overnight import collect_batches

        return collect_batches(watch=watch)

    report = run_by_hand(_count_in_batches, start)
    print_report(report, as_json=as_json)
    if waiting := report.insights.get("in_batch"):
        complain(f"{waiting} insights are still in open batches: run this again later.")


def _count_in_batches(engine: "sa.Engine") -> int:
    from tasks.listing import count_by_state

    return count_by_state(engine).get("in_batch", 0)


def _print_batch(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(row)
        return
    outcomes = row.pop("outcomes")
    print_facts("Batch", row)
    print_rows("Its items", outcomes)
