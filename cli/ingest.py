"""`touchline ingest`: load a season folder."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import JsonOption, complain, console, print_json, print_rows
from cli.session import open_database, read_settings

if TYPE_CHECKING:
    from tasks.season import IngestReport

PEOPLE_AND_INSIGHTS = ("organizations", "coaches", "players", "guardians", "insights")


def ingest(
    folder: Annotated[Path, typer.Argument(help="A folder of JSON Lines files, see the README.")],
    as_json: JsonOption = False,
) -> None:
    """Load a season; loading it twice changes nothing. Exit code 2 when rows were rejected."""
    from core.prompt import sports
    from tasks.season import ingest as load

    settings = read_settings()
    with open_database() as engine:
        report = load(engine, folder, home=settings.home, sports=frozenset(sports()), now=datetime.now(UTC))
    if as_json:
        print_json(report.to_json())
    else:
        print_report(report)
    if report.rejects_file:
        raise typer.Exit(2)


def print_report(report: "IngestReport") -> None:
    """Show what was loaded, and where the rest is."""
    told = report.to_json()
    print_rows("Loaded", [{"": name, **told[name]} for name in PEOPLE_AND_INSIGHTS])
    if told["unknown_fields"]:
        console().print(f"{told['unknown_fields']} unknown fields were ignored.")
    if report.rejects_file:
        print_rows("Rejected", [{"reason": reason, "lines": n} for reason, n in told["rejected"].items()])
        complain(f"Rejected lines are kept in {report.rejects_file}.")
        complain("Correct them in the season's own files, then ingest the season again.")
