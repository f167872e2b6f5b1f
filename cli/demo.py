"""`touchline demo`: the whole story on a data folder of its own, from a season to its bill."""

import json
import os
import shutil
import time
import urllib.request
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from cli.bill import print_bills
from cli.emulator import running_process
from cli.output import JsonOption, complain, console, print_json, print_rows
from cli.session import open_database, read_settings
from core.errors import BooksDisagree

if TYPE_CHECKING:
    import sqlalchemy as sa

    from core.report import RunReport

SEASON = Path(__file__).parent.parent / "examples" / "season"


def demo(as_json: JsonOption = False) -> None:
    """Summarise the example season through the emulator, and hold the ledger against its meter."""
    from cli.summarize import run_flow

    began = time.monotonic()
    home = fresh_home(read_settings().home / "demo")
    with running_process([]) as (_, base_url):
        point_everything_at(home, base_url)
        with open_database() as engine:
            load_season(engine, home)
            complain("Summarising through the emulator; a temporary Prefect server starts first ...")
            report = run_flow()
            meter = read_meter(base_url)
            check_books(engine, meter)
            insights = count_insights(engine)
            if not as_json:
                show(engine, insights, report)
    told = {
        "insights": insights,
        "bill": report.billed.to_json(),
        "meter": meter,
        "saved_fraction": report.billed.saved_fraction,
        "seconds": round(time.monotonic() - began, 1),
    }
    if as_json:
        print_json(told)
    else:
        console().print(
            f"The ledger equals the emulator's meter to the last digit. {told['seconds']} s in all."
        )


def fresh_home(home: Path) -> Path:
    """Wipe the demo's own folder. Raises NotReady while another demo uses it."""
    from database import embedded

    home = embedded.prepared(home)
    embedded.reset(home)
    for entry in home.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)  # the files that remain are the locks that others may wait for
    return home


def point_everything_at(home: Path, base_url: str) -> None:
    """Turn this process away from whatever its environment names: no real database, API or key is used."""
    for name in [*os.environ]:
        if name in {"DATABASE_URL", "PREFECT_API_URL", "PREFECT_HOME"} or name.startswith("TOUCHLINE_"):
            del os.environ[name]
    os.environ |= {"TOUCHLINE_HOME": str(home), "ANTHROPIC_BASE_URL": base_url, "ANTHROPIC_API_KEY": "demo"}


def load_season(engine: "sa.Engine", home: Path) -> None:
    """Ingest the example season and say what came in, on stderr."""
    from core.prompt import sports
    from tasks.season import ingest

    report = ingest(engine, SEASON, home=home, sports=frozenset(sports()), now=datetime.now(UTC)).to_json()
    complain(
        f"Ingested {report['insights']['inserted']} insights about {report['players']['inserted']} players; "
        f"{sum(report['rejected'].values())} bad lines are kept in {report['rejects_file']}"
    )


def read_meter(base_url: str) -> dict[str, Any]:
    """Ask the emulator what it would have billed."""
    with urllib.request.urlopen(f"{base_url}/_emulator/meter", timeout=30) as answer:
        meter: dict[str, Any] = json.load(answer)
    return meter


def check_books(engine: "sa.Engine", meter: dict[str, Any]) -> None:
    """Raise BooksDisagree unless ledger and meter have the same requests, tokens and cost in every row."""
    from tasks.listing import ledger_totals

    ledger = {(row["model"], row["service_tier"]): row for row in ledger_totals(engine)}
    metered = {(row["model"], row["service_tier"]): row for row in meter["rows"]}
    if ledger.keys() != metered.keys():
        raise BooksDisagree(f"the ledger has {sorted(ledger)}, the meter {sorted(metered)}")
    for key, row in metered.items():
        differing = [
            name
            for name in row
            if name not in {"model", "service_tier"} and not _equal(row, ledger[key], name)
        ]
        if differing:
            raise BooksDisagree(f"ledger and meter differ for {key[0]} in {', '.join(differing)}")


def _equal(metered: dict[str, Any], booked: dict[str, Any], name: str) -> bool:
    return Decimal(str(metered[name])) == Decimal(str(booked[name]))


def count_insights(engine: "sa.Engine") -> dict[str, int]:
    """Return how many insights are in which state now."""
    from tasks.listing import count_by_state

    return count_by_state(engine)


def show(engine: "sa.Engine", insights: dict[str, int], report: "RunReport") -> None:
    """Show a person the states, a summary of each tone beside its note, the bill, and where it comes from."""
    from tasks.listing import summaries_beside_notes

    print_rows("Insights", [{"state": state, "insights": number} for state, number in insights.items()])
    table = Table(
        title="What a coach said, and what a parent could read", title_justify="left", show_lines=True
    )
    for heading in ("tone", "the coach's note", "the summary"):
        table.add_column(heading, overflow="fold")
    for row in summaries_beside_notes(engine, 3):
        table.add_row(row["tone"], f"{row['title']}: {row['description']}", row["text"])
    console().print(table)
    print_bills(report)
