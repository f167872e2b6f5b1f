"""`touchline summaries`: look at what was written for parents, beside the notes it was written from."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.output import (
    AfterOption,
    JsonOption,
    LimitOption,
    OrganizationOption,
    console,
    print_facts,
    print_json,
    print_rows,
)
from cli.session import open_database
from core.states import SummaryState

COLUMNS = ("summary_id", "insight_id", "state", "category")  # that fit a terminal

app = typer.Typer(no_args_is_help=True, help="What was written for parents.")

TEXTS = ("title", "description", "text", "original_text", "evidence")


@app.command("list")
def list_summaries(
    state: Annotated[SummaryState | None, typer.Option(help="Only those in this state.")] = None,
    organization: OrganizationOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    as_json: JsonOption = False,
) -> None:
    """List summaries in the order they were made, without their texts."""
    from tasks import listing

    with open_database() as engine:
        rows = listing.list_summaries(
            engine, state=state, organization_id=organization, limit=limit, after=after
        )
    if as_json:
        print_json({"summaries": rows})
    else:
        print_rows("Summaries", rows, COLUMNS)


@app.command()
def show(
    summary_id: Annotated[str, typer.Argument(help="The summary's id.")], as_json: JsonOption = False
) -> None:
    """Show one summary beside its note, with all that the decision about it rests on."""
    from tasks import listing

    with open_database() as engine:
        row = listing.show_summary(engine, summary_id)
    if as_json:
        print_json(row)
    else:
        _print_beside_note(row)


def _print_beside_note(row: Mapping[str, Any]) -> None:
    table = Table()
    table.add_column("the coach's note (private)", overflow="fold", ratio=1)
    table.add_column("the summary", overflow="fold", ratio=1)
    table.add_row(f"{row['title']}: {row['description']}", row["text"])
    console().print(table)
    facts = {name: value for name, value in row.items() if name not in TEXTS}
    listed = {name: ", ".join(row[name]) for name in ("flags", "decision_reasons")}
    print_facts("Summary", facts | listed)
