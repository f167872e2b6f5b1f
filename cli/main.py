"""`touchline`: the command line, put together from one file per command group.

Nothing heavy is imported here or at the top of a command file: `touchline --help` stays under a second.
"""

import signal
import sys
from types import FrameType

import typer

from cli import (
    batches,
    bootstrap,
    config,
    database,
    demo,
    doctor,
    emulator,
    evaluate,
    ingest,
    insights,
    ledger,
    overnight,
    plan,
    prompts,
    review,
    rollup,
    summaries,
    summarize,
    trust,
    up,
    usage,
)
from cli.output import complain
from core.errors import BadInput, Stopped, TouchlineError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Coaches' insights into words for parents, at the lowest price, every token on a ledger.",
)
app.command("demo")(demo.demo)
app.add_typer(database.app, name="db")
app.command("ingest")(ingest.ingest)
app.command("plan")(plan.plan)
app.command("summarize")(summarize.summarize)
app.command("overnight")(overnight.overnight)
app.add_typer(batches.app, name="batches")
app.add_typer(insights.app, name="insights")
app.add_typer(summaries.app, name="summaries")
app.add_typer(review.app, name="review")
app.add_typer(trust.app, name="trust")
app.add_typer(prompts.app, name="prompts")
app.command("usage")(usage.usage)
app.command("rollup")(rollup.rollup)
app.add_typer(ledger.app, name="ledger")
app.add_typer(config.app, name="config")
app.command("evaluate")(evaluate.evaluate)
app.command("emulator")(emulator.emulator)
app.command("bootstrap")(bootstrap.bootstrap)
app.command("up")(up.up)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run a command; errors that Touchline raises on purpose are shown as one message with the next step."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(ending) is signal.SIG_IGN:
            continue  # nohup
        signal.signal(ending, _leave)  # by themselves they end Python without stopping what it has started
    try:
        app()
    except TouchlineError as error:
        complain(str(error))
        sys.exit(exit_code(error))


def exit_code(error: TouchlineError) -> int:
    """Return 2 for bad input, 3 for a control that stopped the run, 1 for everything else."""
    if isinstance(error, BadInput):
        return 2
    return 3 if isinstance(error, Stopped) else 1


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
