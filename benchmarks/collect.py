"""`python -m benchmarks.collect [RESULTS]`: collecting a batch's results, beside parsing and inserting alone.

A season of so many insights (default 100,000, the most that one batch holds) is loaded, every insight is put
into a batch as the flow puts it there, and the same batch is created on the emulator and worked on before
anything is measured. Then, each in a process of its own on a copy of that database:

- `plain` reads the same results from a file, parses each line and the answer in it, and writes summaries,
  ledger and insights with our bulk statements, as many at a time as we do; what each result is about it knows
  beforehand. It asks nobody, judges nothing and prices nothing.
- `touchline` collects the batch: HTTP, leases, locks, judging and pricing included.

Neither the start of a process nor opening the database is timed.
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import make_url

from benchmarks.collect_batch import Item, load_season, put_in_batch
from benchmarks.collect_cases import Taken
from benchmarks.cost.rig import OURS, QUIET, Rig, asked_of, emulators, fresh_database
from benchmarks.cost.rows import RESULTS
from core.batches import REQUESTS_MAX
from core.errors import BooksDisagree
from database import embedded, migrate

FILE = RESULTS / "collect.json"
EMULATOR = ("--latency", "off", "--tier", "unlimited")
NIGHT_SECONDS = 600
WAIT_SECONDS = 3_600  # for one answer of the emulator: it works on all items when first asked
HEADERS = {"x-api-key": "bench", "anthropic-version": "2026-10-21", "content-type": "application/json"}
MEMORY_MB_MAX = 400.0
RATIO_MAX = 1.5
BOOKS = """
    SELECT (SELECT count(*) FROM summary), (SELECT count(*) FROM insight WHERE state = 'summarized'), count(*),
        sum(cost_usd) FROM ai_usage_log WHERE outcome = 'succeeded'
"""


def main(results: int) -> None:
    """Measure both, print them beside each other, and write them down."""
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]
    os.environ |= QUIET | {"ANTHROPIC_API_KEY": "bench"}
    with TemporaryDirectory(prefix="touchline-bench-") as folder:
        home = Path(folder)
        os.environ["TOUCHLINE_HOME"] = folder
        with embedded.attached(home) as url, emulators([EMULATOR]) as (base_url,):
            os.environ["ANTHROPIC_BASE_URL"] = base_url
            took = measure(Rig(home, url), base_url, results)
    show(Console(width=120), results, took)
    rows = [{"results": results, "case": case, **asdict(taken)} for case, taken in took.items()]
    FILE.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", encoding="utf-8")


def measure(rig: Rig, base_url: str, results: int) -> dict[str, Taken]:
    """Prepare the batch once, and run each case on a database of its own."""
    lines, known = rig.place("results.jsonl"), rig.place("known.jsonl")
    with fresh_database(rig) as url:
        migrate.upgrade(url)
        items = load_season(url, rig.home, results)
        batch_id = _create(base_url, items, rig.place("requests.json"))
        put_in_batch(url, items, batch_id)
        _write_lines(known, (item.known() for item in items))
        _let_work(base_url, batch_id, lines)
        metered = Decimal(asked_of(base_url, "meter")["cost_usd"])
        template = str(make_url(url).database)
        taken = {"plain": _run(rig, template, results, "plain", str(lines), str(known))[0]}
        taken["touchline"], booked = _run(rig, template, results, "touchline")
    if booked != metered:
        raise BooksDisagree(f"{booked} on the ledger, {metered} metered")
    return taken


def _create(base_url: str, items: Sequence[Item], place: Path) -> str:
    """Create one batch of all; gives the API's id."""
    with place.open("w", encoding="utf-8") as file:
        file.write('{"requests": [')
        file.writelines(("," if n else "") + json.dumps(item.request()) for n, item in enumerate(items))
        file.write("]}")
    body = place.read_bytes()
    request = urllib.request.Request(f"{base_url}/v1/messages/batches", body, HEADERS)
    with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer:
        return str(json.load(answer)["id"])


def _let_work(base_url: str, batch_id: str, place: Path) -> None:
    """Move the emulator's clock to the end of the batch, have it work, and keep the results in a file."""
    moved = json.dumps({"advance_seconds": NIGHT_SECONDS}).encode()
    with urllib.request.urlopen(f"{base_url}/_emulator/clock", moved, timeout=WAIT_SECONDS):
        pass
    path = f"{base_url}/v1/messages/batches/{batch_id}/results"
    request = urllib.request.Request(path, headers=HEADERS)
    with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as answer, place.open("wb") as file:
        shutil.copyfileobj(answer, file)


def _write_lines(path: Path, rows: Iterator[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def _run(rig: Rig, template: str, results: int, case: str, *files: str) -> tuple[Taken, Decimal]:
    """Run a case on a copy of the database; gives what it took, and what the ledger then says was paid.

    Raises BooksDisagree when it has not written everything.
    """
    with fresh_database(rig, template) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        command = [sys.executable, "-m", "benchmarks.collect_cases", case, *files]
        environment = os.environ | {"DATABASE_URL": url}
        answer = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        found = connection.execute(BOOKS.encode()).fetchone()
    if found is None or found[:3] != (results,) * 3:
        raise BooksDisagree(f"{case}: {found} summaries, insights and ledger rows of {results}")
    return Taken(**json.loads(answer.stdout.splitlines()[-1])), found[3]


def show(console: Console, results: int, took: Mapping[str, Taken]) -> None:
    """Print the cases, and whether ours is within its bounds."""
    plain, ours = took["plain"], took["touchline"]
    ratio = ours.seconds / plain.seconds
    table = Table("case", title=f"reading {results:,} results of a batch, {os.cpu_count()} cores")
    for name in ("seconds", "cpu seconds", "against", "ratio", "peak MB"):
        table.add_column(name, justify="right")
    table.add_row("plain", *_cells(plain), "-", "-", f"{plain.peak_memory_mb:,.0f}")
    table.add_row("touchline", *_cells(ours), "plain", f"{ratio:.3f}", f"{ours.peak_memory_mb:,.0f}")
    console.print(table)
    for name, figure, bound in (
        ("seconds / plain's", ratio, RATIO_MAX),
        ("peak MB", ours.peak_memory_mb, MEMORY_MB_MAX),
    ):
        reached = "reached" if figure <= bound else "MISSED"
        console.print(f"{name}: {figure:.2f}, bound {bound:g}: {reached}", highlight=False)


def _cells(taken: Taken) -> tuple[str, str]:
    return f"{taken.seconds:,.2f}", f"{taken.cpu_seconds:,.2f}"


if __name__ == "__main__":
    main(min(int(sys.argv[1]) if sys.argv[1:] else REQUESTS_MAX, REQUESTS_MAX))
