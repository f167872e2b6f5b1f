"""`touchline review`: a coach looks at summaries beside the notes, and decides."""

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cli.output import AfterOption, JsonOption, LimitOption, console, print_facts, print_json, print_rows
from cli.session import open_database
from core.errors import BadInput
from core.states import Feedback, InjuryTick, SummaryState

if TYPE_CHECKING:
    from tasks.moves import Moved

PersonOption = Annotated[
    str, typer.Option("--as", metavar="PERSON", help="Who acts: a coach, by either id of the auth system.")
]
SummaryArgument = Annotated[str, typer.Argument(help="The summary's id.")]
ReasonOption = Annotated[str | None, typer.Option(help="Why, in your own words; nobody else reads them.")]
FeedbackOption = Annotated[Feedback | None, typer.Option(help="Why, in a word that can be counted.")]
TEXTS = ("title", "description", "text", "original_text", "events", "evidence")

app = typer.Typer(
    no_args_is_help=True, help="A coach's own summaries: look, approve, edit, suppress, revoke."
)


@app.command("list")
def list_reviews(
    person: PersonOption,
    state: Annotated[
        SummaryState, typer.Option(help="auto_approved: what goes by itself, and can be revoked.")
    ] = SummaryState.PENDING_REVIEW,
    limit: LimitOption = None,
    after: AfterOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what waits for the coach, oldest first: each summary beside its note, and why it waits."""
    from tasks import reviews

    with open_database() as engine:
        rows = reviews.list_reviews(engine, person, state=state, limit=limit, after=after)
    if as_json:
        print_json({"summaries": rows})
    elif not rows:
        console().print(f"Nothing is {state}.")
    else:
        console().print(_beside_notes(rows))


@app.command()
def show(summary_id: SummaryArgument, person: PersonOption, as_json: JsonOption = False) -> None:
    """Show one summary beside its note, what was decided about it and why, and all that happened to it."""
    from tasks import reviews

    with open_database() as engine:
        row = reviews.show_review(engine, person, summary_id)
    if as_json:
        print_json(row)
        return
    console().print(_beside_notes([row]))
    facts = {name: value for name, value in row.items() if name not in TEXTS} | row["evidence"]
    print_facts("Decision", {name: _in_a_cell(value) for name, value in facts.items()})
    print_rows("Events", row["events"], ("at", "actor", "event", "from", "to", "feedback", "override"))


@app.command()
def approve(
    summary_id: SummaryArgument,
    person: PersonOption,
    personally_observed: Annotated[
        bool, typer.Option("--personally-observed", help="Of an injury: you have seen it yourself.")
    ] = False,
    severity_accurate: Annotated[
        bool, typer.Option("--severity-accurate", help="Of an injury: it is told as bad as it was.")
    ] = False,
    no_medical_advice: Annotated[
        bool, typer.Option("--no-medical-advice", help="Of an injury: it says nothing that is a doctor's.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Let a summary go out. An injury needs all three ticks."""
    from tasks import reviews

    given = {
        InjuryTick.PERSONALLY_OBSERVED: personally_observed,
        InjuryTick.SEVERITY_ACCURATE: severity_accurate,
        InjuryTick.NO_MEDICAL_ADVICE: no_medical_advice,
    }
    ticks = {tick for tick, is_given in given.items() if is_given}
    with open_database() as engine:
        moved = reviews.approve(engine, person, summary_id, ticks=ticks, now=datetime.now(UTC))
    _print_moved(moved, as_json)


@app.command()
def edit(
    summary_id: SummaryArgument,
    person: PersonOption,
    text: Annotated[str | None, typer.Option(help="The new text.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="A file with the new text; - reads it from stdin.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Replace the text of a summary that waits for review; the original is kept."""
    from tasks import reviews

    words = _new_text(text, file)
    with open_database() as engine:
        moved = reviews.edit(engine, person, summary_id, words, now=datetime.now(UTC))
    _print_moved(moved, as_json)


@app.command()
def suppress(
    summary_id: SummaryArgument,
    person: PersonOption,
    reason: ReasonOption = None,
    feedback: FeedbackOption = None,
    as_json: JsonOption = False,
) -> None:
    """Keep a summary back for good."""
    from tasks import reviews

    _keep_back(reviews.suppress, summary_id, person, reason, feedback, as_json)


@app.command()
def revoke(
    summary_id: SummaryArgument,
    person: PersonOption,
    reason: ReasonOption = None,
    feedback: FeedbackOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take an automatic approval back, as long as the summary is not delivered."""
    from tasks import reviews

    _keep_back(reviews.revoke, summary_id, person, reason, feedback, as_json)


def _keep_back(
    act: Callable[..., "Moved"],
    summary_id: str,
    person: str,
    reason: str | None,
    feedback: Feedback | None,
    as_json: bool,
) -> None:
    with open_database() as engine:
        moved = act(engine, person, summary_id, reason=reason, feedback=feedback, now=datetime.now(UTC))
    _print_moved(moved, as_json)


def _new_text(text: str | None, file: Path | None) -> str:
    if (text is None) == (file is None):
        raise BadInput("Give the new text with --text or with --file, one of them.")
    if text is not None:
        return text
    if str(file) == "-":
        return sys.stdin.read()
    try:
        return Path(str(file)).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--file {file} cannot be read as text ({type(error).__name__}).") from error


def _print_moved(moved: "Moved", as_json: bool) -> None:
    if as_json:
        print_json(moved.to_json())
    else:
        console().print(f"{moved.summary_id} was {moved.from_state}, now it is {moved.to_state}.")


def _beside_notes(rows: list[dict[str, Any]]) -> Table:
    table = Table(show_lines=True)
    table.add_column("summary", no_wrap=True)
    for heading, ratio in (("why", 2), ("the note (private)", 3), ("the summary", 3)):
        table.add_column(heading, overflow="fold", ratio=ratio)
    for row in rows:
        said = f"{row['title']}: {row['description']}"
        table.add_row(row["summary_id"], "\n".join(_why(row)), said, row["text"])
    return table


def _why(row: Mapping[str, Any]) -> list[str]:
    """Category and confidence, then the reasons for the decision, and whether it can still be revoked."""
    lines = [row["category"], f"confidence {row['confidence']:.2f} ({row['confidence_band']})"]
    lines += [reason.replace("_", " ") for reason in row["decision_reasons"]]
    if row["reason"]:
        lines.append(f"model: {row['reason']}")
    if row["revocable"]:
        until = row["revocable_until"].astimezone(UTC)
        lines.append(f"can be revoked; goes out from {until:%Y-%m-%d %H:%M} UTC")
    if row["rehearsal"]:
        lines.append("a rehearsal: never goes out")
    return lines


def _in_a_cell(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
