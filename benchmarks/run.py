"""Time per insight and peak memory of a whole run, at two sizes side by side.

`python -m benchmarks.run [SIZE ...]` (default 1000 10000). Each size has a season of its own, written by
the seeded generator, a fresh embedded database and a fresh emulator without latency or limits, and runs the
flow in a process of its own, whose peak memory is read when it ends. Only the run is timed, neither ingest
nor start-up.
"""

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cli.emulator import running_process
from cli.prefect_api import prefect_api
from core.prompt import sports
from core.settings import Settings
from database.engine import connect, database
from examples.generate import Season, write_season
from tasks.season import ingest

SIZES = (1_000, 10_000)
SEED = 2026


def main(sizes: list[int]) -> None:
    """Measure each size, and print them beside each other."""
    measured = [measure(size) for size in sizes]
    table = Table("", title=f"summarize_pending, latency off, {os.cpu_count()} cores, seed {SEED}")
    for _ in measured:
        table.add_column(justify="right")
    for name in measured[0]:
        table.add_row(name, *(f"{row[name]:,.5g}" for row in measured))
    Console().print(table)
    first, last = measured[0], measured[-1]
    Console().print(
        f"{last['insights'] / first['insights']:.0f} times the insights: "
        f"{last['ms_per_insight'] / first['ms_per_insight']:.2f} times the time per insight, "
        f"{last['peak_memory_mb'] / first['peak_memory_mb']:.2f} times the peak memory"
    )


def measure(size: int) -> dict[str, float]:
    """Run one size in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="touchline-bench-") as folder:
        home = Path(folder)
        with running_process(["--latency", "off", "--tier", "unlimited"]) as (_, base_url):
            environment = os.environ | {
                "TOUCHLINE_HOME": str(home),
                "ANTHROPIC_BASE_URL": base_url,
                "ANTHROPIC_API_KEY": "bench",
            }
            environment.pop("DATABASE_URL", None)
            environment.pop("PREFECT_API_URL", None)
            os.environ |= {"TOUCHLINE_HOME": str(home)}
            with database(Settings()) as found:
                _load(found.url, home, size)
                child = [sys.executable, "-m", "benchmarks.run", "--child"]
                answer = subprocess.run(child, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return {"insights": size, **told}


def _load(url: str, home: Path, size: int) -> None:
    players = max(60, size * 3 // 10)
    season = Season(insights=size, players=players, coaches=max(8, players // 25), seed=SEED, bad_lines=0)
    write_season(home / "season", season)
    engine = connect(url)
    ingest(engine, home / "season", home=home, sports=frozenset(sports()), now=datetime.now(UTC))
    engine.dispose()


def child() -> None:
    """Run the flow in this process, and print what it took."""
    with prefect_api(Path(os.environ["TOUCHLINE_HOME"])):
        from flows.summarize import summarize_pending

        began = time.process_time()
        report = asyncio.run(summarize_pending())
    calls = report.billed.calls
    told = {
        "calls": calls,
        "wall_seconds": report.wall_seconds,
        "ms_per_insight": 1000 * report.wall_seconds / sum(report.insights.values()),
        "cpu_ms_per_call": 1000 * (time.process_time() - began) / calls,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "cost_usd": float(report.billed.cost_usd),
        "hit_rate": float(report.billed.cache_hit_rate),
        "efficiency": float(report.billed.efficiency),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    if sys.argv[1:] == ["--child"]:
        child()
    else:
        main([int(size) for size in sys.argv[1:]] or list(SIZES))
