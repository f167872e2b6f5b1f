"""`touchline doctor`: look at everything, and say what to do next; it repairs nothing."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from cli.addresses import find_up
from cli.output import JsonOption, console, print_json
from cli.session import read_settings
from core.errors import BadInput

if TYPE_CHECKING:
    from tasks.health import Check


def doctor(as_json: JsonOption = False) -> None:
    """Check settings, home, prices, prompts, database and Prefect. Exit code 1 when something is wrong."""
    checks = look()
    ok = all(check.ok for check in checks)
    if as_json:
        print_json({"checks": [check.to_json() for check in checks], "ok": ok})
    else:
        print_checks(checks)
    if not ok:
        raise typer.Exit(1)


def look() -> "list[Check]":
    """Make all checks; wrong settings are the only one when there are any, all others rest on them."""
    from tasks.health import Check, check_all

    try:
        settings = read_settings()
    except BadInput as error:
        return [Check("settings", False, str(error), "Correct these variables, then run: touchline doctor")]
    found = find_up(settings.home, wait=False)
    api_url = os.environ.get("PREFECT_API_URL") or (found.api_url if found else None)
    return check_all(settings, prefect_api_url=api_url, now=datetime.now(UTC))


def print_checks(checks: "Sequence[Check]") -> None:
    """Show a person what was found, and what to do."""
    table = Table(show_header=False, show_lines=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for check in checks:
        told = check.detail if check.next_step is None else f"{check.detail}\nNext: {check.next_step}"
        table.add_row("ok" if check.ok else "WRONG", check.name, told)
    console().print(table)
