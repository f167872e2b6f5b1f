"""`touchline ledger`: single rows of the ledger, one for each attempt."""

from typing import Annotated

import typer

from cli.output import (
    AfterOption,
    JsonOption,
    LimitOption,
    OrganizationOption,
    print_facts,
    print_json,
    print_rows,
)
from cli.session import open_database
from core.states import Outcome

COLUMNS = ("attempt_id", "occurred_at", "outcome", "cost_usd")  # that fit a terminal

app = typer.Typer(no_args_is_help=True, help="The ledger: every request that was made, and what it cost.")


@app.command("list")
def list_ledger(
    outcome: Annotated[Outcome | None, typer.Option(help="Only attempts that ended so.")] = None,
    organization: OrganizationOption = None,
    limit: LimitOption = None,
    after: AfterOption = None,
    as_json: JsonOption = False,
) -> None:
    """List attempts in the order they were sent."""
    from tasks import listing

    with open_database() as engine:
        rows = listing.list_ledger(
            engine, outcome=outcome, organization_id=organization, limit=limit, after=after
        )
    if as_json:
        print_json({"ledger": rows})
    else:
        print_rows("Ledger", rows, COLUMNS)


@app.command()
def show(
    attempt_id: Annotated[str, typer.Argument(help="The attempt's id.")], as_json: JsonOption = False
) -> None:
    """Show one attempt, with the insights it was made for."""
    from tasks import listing

    with open_database() as engine:
        row = listing.show_attempt(engine, attempt_id)
    if as_json:
        print_json(row)
    else:
        shares = row.pop("shares_usd")
        told = ", ".join(f"{insight_id} (${usd})" for insight_id, usd in shares.items())
        print_facts("Attempt", row | {"insights": told})
