"""`touchline rollup`: the nightly rollup by hand."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import JsonOption, console, print_json
from cli.prefect_api import prefect_api
from cli.session import open_database, read_settings

if TYPE_CHECKING:
    from core.rollups import RollupReport

ROWS_SHOWN = 5  # of those that fail a check; the artifact has more


def rollup(
    days: Annotated[
        list[datetime] | None,
        typer.Option("--day", formats=["%Y-%m-%d"], help="A UTC day, marked or not; may be given again."),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="All days that there ever were, from nothing.")
    ] = False,
    data_docs: Annotated[
        Path | None,
        typer.Option("--data-docs", file_okay=False, help="Write pages about the checks here."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Roll up the days whose rows have changed: stage, check, and publish when every critical check holds."""
    from core.rollups import RollupRefused, check_asked

    wanted = [day.date() for day in days] if days else None
    check_asked(wanted, rebuild=rebuild)
    with open_database(), prefect_api(read_settings().home):
        from flows.rollup import nightly_rollup

        try:
            report = asyncio.run(nightly_rollup(days=wanted, rebuild=rebuild, data_docs=data_docs))
        except RollupRefused as refused:
            _print(refused.report, as_json=as_json)
            raise
    _print(report, as_json=as_json)


def _print(report: "RollupReport", *, as_json: bool) -> None:
    """Show what happened; every check that did not hold, with the first rows that fail."""
    if as_json:
        print_json(report.to_json())
        return
    console().print(report.sentence() + ".")
    for outcome in report.checks.outcomes:
        if outcome.result != "passed":
            console().print(outcome.sentence())
        for row in outcome.failing_rows[:ROWS_SHOWN]:
            facts = {name: value for name, value in row.items() if value is not None and name != "run_id"}
            console().print("  - " + ", ".join(f"{name} {value}" for name, value in facts.items()))
