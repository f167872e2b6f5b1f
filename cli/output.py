"""What a command prints: one JSON object on stdout, or words and tables for a person."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

JsonOption = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object.")]
LimitOption = Annotated[int | None, typer.Option(min=1, help="At most so many rows (default: all).")]
AfterOption = Annotated[str | None, typer.Option(help="Start after the row with this id.")]
OrganizationOption = Annotated[str | None, typer.Option("--org", help="Only this organization's.")]


def console() -> Console:
    """Return where a person reads; brackets in a note are text, never markup."""
    return Console(highlight=False, markup=False)


def complain(message: str) -> None:
    """Print an error or a notice to stderr."""
    Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(message)


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object: times in UTC, money as plain decimal strings."""
    json.dump(plain(value), sys.stdout, ensure_ascii=False)
    sys.stdout.write("\n")


def plain(value: Any) -> Any:
    """Turn a value of the database into one of JSON."""
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [plain(part) for part in value]
    return value


def print_rows(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] | None = None) -> None:
    """Print rows as a table: these columns, or all, in the order of the first row; `--json` has them all."""
    if not rows:
        console().print(f"{title}: none")
        return
    names = list(columns or rows[0])
    table = Table(title=title, title_justify="left")
    for name in names:
        # An id in the first column stays whole, to be copied.
        table.add_column(name, overflow="fold", no_wrap=name == names[0] and name.endswith("_id"))
    for row in rows:
        table.add_row(*("" if row[name] is None else str(plain(row[name])) for name in names))
    console().print(table)


def print_facts(title: str, facts: Mapping[str, Any]) -> None:
    """Print one thing's facts below each other."""
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, "" if value is None else str(plain(value)))
    console().print(table)
