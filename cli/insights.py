"""`touchline insights`: look at insights, and let those wait again that a person has looked at."""

from typing import Annotated

import typer

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
from core.states import InsightState

COLUMNS = ("insight_id", "player_id", "state", "state_reason", "category")  # that fit a terminal

app = typer.Typer(no_args_is_help=True, help="What coaches said, and how far it is on its way to a summary.")


@app.command("list")
def list_insights(
    state: Annotated[InsightState | None, typer.Option(help="Only those in this state.")] = None,
    organization: OrganizationOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    as_json: JsonOption = False,
) -> None:
    """List insights by id."""
    from tasks import listing

    with open_database() as engine:
        rows = listing.list_insights(
            engine, state=state, organization_id=organization, limit=limit, after=after
        )
    if as_json:
        print_json({"insights": rows})
    else:
        print_rows("Insights", rows, COLUMNS)


@app.command()
def show(
    insight_id: Annotated[str, typer.Argument(help="The insight's id.")], as_json: JsonOption = False
) -> None:
    """Show one insight, with the coach's note."""
    from tasks import listing

    with open_database() as engine:
        row = listing.show_insight(engine, insight_id)
    if as_json:
        print_json(row)
    else:
        print_facts("Insight", row)


@app.command()
def requeue(
    insight_ids: Annotated[list[str], typer.Argument(help="Ids of skipped or parked insights.")],
    as_json: JsonOption = False,
) -> None:
    """Make skipped and parked insights pending again: all that are named, or none."""
    from tasks import listing

    with open_database() as engine:
        requeued = listing.requeue(engine, insight_ids)
    if as_json:
        print_json({"requeued": requeued})
    else:
        console().print(f"Pending again: {', '.join(requeued)}. Next: touchline summarize")
