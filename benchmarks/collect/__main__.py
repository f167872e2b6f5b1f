"""`python -m benchmarks.collect [RESULTS]` (100,000 by default): to collect a night, beside the least.

`ours` looks at open batches that have ended, HTTP, judging, prices and locks included; `plain` parses the
same lines from a file and inserts the same rows. Each runs in a process of its own on a fresh copy of the
same database, one after the other, twice, the second time the other way round; the better of each counts.
The emulator has done its work before. All databases must then hold the same, to the last digit.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import make_url

from benchmarks.collect.books import Books, books_of
from benchmarks.collect.child import OURS, PLAIN
from benchmarks.collect.night import SPORT, TONE, batch_ids, load_night
from benchmarks.collect.plain import AT_ONCE
from benchmarks.collect.vendor import asked_admin, work_off, write_results
from benchmarks.cost import rig
from benchmarks.cost.job import Told
from cli.emulator import running_process
from core.pricing import price_version
from core.prompt import texts_of
from core.settings import Settings
from database import embedded, migrate
from tasks.collecting import RESULTS_AT_ONCE

RESULTS = 100_000
ORDER = (OURS, PLAIN, PLAIN, OURS)
RATIO_MAX, PEAK_MB_MAX = 1.5, 400.0
FILE = Path(__file__).parent.parent / "results" / "collect.json"


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one case."""

    case: str
    told: Told
    load: float  # of the machine in the minute before, our own preparations included
    books: Books


def main(results: int) -> int:
    """Measure, show and write down; 1 when the databases do not hold the same."""
    assert AT_ONCE == RESULTS_AT_ONCE, "both must write groups of the same size"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    console = Console(width=110)
    with _rig() as (place, base_url), rig.fresh_database(place) as url:
        runs, billed_usd = _measured(console, place, base_url, url, results)
    row = _row(results, runs)
    _show(console, row)
    if results == RESULTS:  # a short run is only shown
        FILE.write_text(json.dumps(row, indent=1) + "\n", "utf-8")
    return _disagreement(console, runs, results, billed_usd)


@contextmanager
def _rig() -> Iterator[tuple[rig.Rig, str]]:
    """Have a database server and an emulator; the environment is then the bench's own."""
    for name in [name for name in os.environ if name.startswith(rig.OURS)]:
        del os.environ[name]
    with (
        TemporaryDirectory(prefix="touchline-bench-") as folder,
        embedded.attached(Path(folder)) as server_url,
        running_process(["--tier", "unlimited"]) as (_, base_url),
    ):
        os.environ |= {"ANTHROPIC_API_KEY": "bench", "ANTHROPIC_BASE_URL": base_url, "TOUCHLINE_HOME": folder}
        yield rig.Rig(Path(folder), server_url), base_url


def _measured(
    console: Console, place: rig.Rig, base_url: str, url: str, results: int
) -> tuple[list[Measured], Decimal]:
    """Prepare the night, and run all cases on copies of it; gives with them what the emulator has billed."""
    settings = Settings()
    migrate.upgrade(url)
    load_night(url, results, settings)
    megabytes = work_off(base_url, url, settings.model)
    file = place.place("results.jsonl")
    write_results(base_url, url, file)
    console.print(
        f"{results:,} results in {len(batch_ids(url))} batches: {megabytes:,} MB sent, "
        f"{file.stat().st_size // 1_000_000:,} MB of results"
    )
    runs = []
    for case in ORDER:
        runs.append(_run(place, url, case, file))
        told = runs[-1].told
        console.print(f"{case}: {told.wall_seconds:.1f} s, {told.cpu_seconds:.1f} s of them at work itself")
    return runs, sum((Decimal(row["cost_usd"]) for row in asked_admin(base_url, "meter")["rows"]), Decimal(0))


def _run(place: rig.Rig, url: str, case: str, file: Path) -> Measured:
    with rig.fresh_database(place, str(make_url(url).database)) as copied:
        with psycopg.connect(copied, autocommit=True) as connection:
            connection.execute("CHECKPOINT")  # the copy itself must not be written out meanwhile
        load = os.getloadavg()[0]
        versions = [texts_of(SPORT, TONE).version, price_version(), TONE]
        child = [sys.executable, "-m", "benchmarks.collect.child", case, str(file), *versions]
        environment = os.environ | {"DATABASE_URL": copied}
        answer = subprocess.run(child, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        return Measured(case, Told.from_json(answer.stdout.splitlines()[-1]), load, books_of(copied))


def _row(results: int, runs: Sequence[Measured]) -> dict[str, Any]:
    """Return what is written down."""
    best = {
        case: min((run for run in runs if run.case == case), key=lambda run: run.told.wall_seconds)
        for case in (OURS, PLAIN)
    }
    books = asdict(best[OURS].books)
    return {
        "results": results,
        "ratio": round(best[OURS].told.wall_seconds / best[PLAIN].told.wall_seconds, 3),
        "ratio_max": RATIO_MAX,
        "peak_memory_mb": round(max(run.told.peak_memory_mb for run in runs if run.case == OURS), 1),
        "peak_memory_mb_max": PEAK_MB_MAX,
        "best": {case: _figures(run) for case, run in best.items()},
        "runs": [_figures(run) for run in runs],
        "books": books | {"cost_usd": str(books["cost_usd"])},
    }


def _figures(run: Measured) -> dict[str, Any]:
    return {
        "case": run.case,
        "rows": run.told.summaries,
        "wall_seconds": round(run.told.wall_seconds, 3),
        "cpu_seconds": round(run.told.cpu_seconds, 2),
        "peak_memory_mb": round(run.told.peak_memory_mb, 1),
        "load_before": round(run.load, 2),
    }


def _show(console: Console, row: Mapping[str, Any]) -> None:
    best = row["best"]
    table = Table("case", title=f"{row['results']:,} results, {os.cpu_count()} cores, the better of two runs")
    for name in ("seconds", "against seconds", "ratio", "peak MB", "rows", "own CPU seconds", "load before"):
        table.add_column(name, justify="right")
    against = best[PLAIN]["wall_seconds"]
    for case, run in best.items():
        figures = (run["wall_seconds"], against, run["wall_seconds"] / against)
        rest = (run["peak_memory_mb"], run["rows"], run["cpu_seconds"], run["load_before"])
        table.add_row(case, *(f"{figure:,.2f}" for figure in figures), *(f"{figure:,}" for figure in rest))
    console.print(table)
    for name, bound in (("ratio", RATIO_MAX), ("peak_memory_mb", PEAK_MB_MAX)):
        reached = "reached" if row[name] <= bound else "MISSED"
        console.print(f"target {name} at most {bound:g}: {row[name]:,} {reached}")


def _disagreement(console: Console, runs: Sequence[Measured], results: int, billed_usd: Decimal) -> int:
    """Say whether all books are the same, and the ledger the emulator's meter; 1 when they are not."""
    books = {run.books for run in runs}
    one = next(iter(books))
    whole = one.summaries == one.attempts == one.summarized == results
    if len(books) == 1 and whole and one.cost_usd == billed_usd:
        console.print(f"all databases hold the same {results:,} rows; ledger and meter: ${one.cost_usd}")
        return 0
    console.print(f"the books disagree; the meter has ${billed_usd}:", *books, sep="\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else RESULTS))
