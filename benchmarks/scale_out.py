"""`python -m benchmarks.scale_out [INSIGHTS]` (5,000 by default): 1, 2 and 4 workers on one backlog.

Each worker is `prefect worker start --limit 1` on one work pool, and gets one run of the deployment
`catch-up` at the same moment; every number of workers has a fresh copy of the same database and a fresh
emulator. Twice: with the latency that was measured of the real API, where workers wait, and with none, where
they compute. What must hold of the books is proved after each; what does not, ends the bench.
"""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.workers.books import prove
from benchmarks.workers.prefect_server import wait_until
from benchmarks.workers.processes import CpuMeter, marked_processes, with_children
from benchmarks.workers.stack import Stack, copied_database, loaded_template, postmaster_of, running_stack
from cli.emulator import running_process
from tests.integration.packaged_postgres import newest_packaged

INSIGHTS = 5_000
WORKERS = (1, 2, 4)
CONCURRENCY = 16  # calls in flight a worker: the default
SECONDS_MAX = 1_800
LOOK_SECONDS = 3.0  # a look costs the server time that the workers need
REGIMES = {
    "measured latency": ["--tier", "unlimited", "--latency", "measured"],
    "no latency": ["--tier", "unlimited", "--latency", "off"],
}
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
FILE = Path(__file__).parent / "results" / "scale_out.json"


Measured = dict[str, Any]  # as it is written down


def main(insights: int) -> None:
    """Measure, prove, show and write down."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    console = Console(width=120)
    rows: list[Measured] = []
    with TemporaryDirectory(prefix="touchline-bench-") as folder, running_stack(Path(folder)) as stack:
        template = loaded_template(stack.server_url, Path(folder), insights)
        for regime, options in REGIMES.items():
            for workers in WORKERS:
                rows.append(measure(stack, template, regime, options, workers))
                console.print(_line(rows[-1]))
    show(console, rows)
    if insights == INSIGHTS:  # a short run is only shown
        FILE.write_text(json.dumps(_written(insights, rows), indent=1) + "\n", "utf-8")


def measure(stack: Stack, template: str, regime: str, options: Sequence[str], workers: int) -> Measured:
    """Have so many workers work off a fresh copy of the backlog, and prove the books."""
    url = copied_database(stack.server_url, template)
    names = [f"{regime.split()[0]}-{workers}-{n}" for n in range(1, workers + 1)]
    with running_process(list(options)) as (emulator, base_url):
        environment = {
            "DATABASE_URL": url,
            "ANTHROPIC_BASE_URL": base_url,
            "TOUCHLINE_CONCURRENCY": str(CONCURRENCY),
        }
        started = [stack.start_worker(name, environment) for name in names]
        try:
            load = os.getloadavg()[0]
            with psycopg.connect(url, autocommit=True) as connection:
                waits = Waits(connection)
                with CpuMeter(_parts(stack, emulator.pid), waits.look) as cpu:
                    triggered = datetime.now(UTC)
                    run_all(stack, workers)
            shared = prove(url, base_url)
            figures = _figures(url, triggered)
        finally:
            for worker, name in zip(started, names, strict=True):
                stack.stop_worker(worker, name)
    used = cpu.seconds()
    return {
        "regime": regime,
        "workers": workers,
        **figures,
        "cpu_seconds": {part: round(seconds, 1) for part, seconds in used.items()},
        "cores_used": round(sum(used.values()) / figures["total_seconds"], 2),
        "waits": dict(waits.seen.most_common(8)),
        "shared_prefixes": shared,
        "load_before": round(load, 2),
    }


def run_all(stack: Stack, runs: int) -> None:
    """Have so many runs of `catch-up` at once and wait; raises RuntimeError unless all complete."""
    ids = [stack.api.trigger("catch-up") for _ in range(runs)]
    wait_until(lambda: all(stack.api.state(one) in ENDED for one in ids), "no end", SECONDS_MAX, LOOK_SECONDS)
    ended = Counter(stack.api.state(one) for one in ids)
    if set(ended) != {"COMPLETED"}:
        raise RuntimeError(f"runs have ended as {dict(ended)}")


def _parts(stack: Stack, emulator: int) -> Callable[[], dict[str, list[int]]]:
    """Say whose time is measured: gives the processes of the moment by part, in one look."""
    postmaster, server = postmaster_of(stack.server_url), stack.server.process
    assert server is not None
    server_pid, prefects = server.pid, stack.prefect_postmaster

    def look() -> dict[str, list[int]]:
        found = marked_processes(stack.workers_marker)
        return {
            "flows": found["flow"],
            "workers": [*found["worker"], *found["supervisor"]],
            "emulator": [emulator],
            "postgres": with_children(postmaster),
            "prefect server": [server_pid],
            "prefect's postgres": with_children(prefects) if prefects else [],
            "this bench": [os.getpid()],
        }

    return look


class Waits:
    """What the clients of a database wait for, sampled over a connection that must not outlive the bench."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self.seen: Counter[str] = Counter()

    def look(self) -> None:
        """Take a sample."""
        self.seen.update(row[0] for row in self._connection.execute(WAITING))


def _figures(url: str, triggered: datetime) -> dict[str, Any]:
    with psycopg.connect(url) as connection:
        runs = connection.execute(RUNS).fetchall()
        (insights,) = connection.execute("SELECT count(*) FROM insight").fetchone() or (0,)
        calls, cost = connection.execute("SELECT count(*), sum(cost_usd) FROM ai_usage_log").fetchone() or (
            0,
            0,
        )
    began, last = min(row[0] for row in runs), max(row[1] for row in runs if row[1])
    return {
        "insights": insights,
        "calls": calls,
        "cost_usd": str(cost),
        "working_seconds": round((last - began).total_seconds(), 2),
        "total_seconds": round((last - triggered).total_seconds(), 2),
        "start_seconds": [round((row[0] - triggered).total_seconds(), 1) for row in runs],
        "end_seconds": [round((row[1] - triggered).total_seconds(), 1) for row in runs if row[1]],
        "insights_of_runs": [int(row[2] or 0) for row in runs],
    }


def _line(row: Measured) -> str:
    return (
        f"{row['regime']}, {row['workers']} workers: {row['insights']:,} insights "
        f"in {row['working_seconds']} s ({row['total_seconds']} s in all), {row['cores_used']} cores"
    )


def per_second(row: Measured, what: str = "working_seconds") -> float:
    """Return insights a second."""
    return float(row["insights"] / row[what])


def show(console: Console, rows: Sequence[Measured]) -> None:
    """Print a table for each regime, the workers side by side."""
    for regime in REGIMES:
        of_regime = [row for row in rows if row["regime"] == regime]
        one = of_regime[0]
        table = Table(
            "workers",
            title=f"{one['insights']:,} insights, {regime}, {CONCURRENCY} calls in flight a worker, "
            f"{os.cpu_count()} cores",
        )
        for row in of_regime:
            table.add_column(str(row["workers"]), justify="right")
        lines: list[tuple[str, list[str]]] = [
            ("insights/s while working", [f"{per_second(row):.1f}" for row in of_regime]),
            ("times one worker's", [f"{per_second(row) / per_second(one):.2f}" for row in of_regime]),
            ("insights/s from the trigger", [f"{per_second(row, 'total_seconds'):.1f}" for row in of_regime]),
            ("first and last run begun after, s", [_ends(row["start_seconds"]) for row in of_regime]),
            ("first and last run done after, s", [_ends(row["end_seconds"]) for row in of_regime]),
            ("fewest and most insights of a run", [_ends(row["insights_of_runs"]) for row in of_regime]),
            *[
                (f"CPU s, {part}", [f"{row['cpu_seconds'][part]}" for row in of_regime])
                for part in one["cpu_seconds"]
            ],
            ("cores used", [f"{row['cores_used']}" for row in of_regime]),
            ("samples waiting for a claim", [str(row["waits"].get("Lock advisory", 0)) for row in of_regime]),
            ("calls", [f"{row['calls']:,}" for row in of_regime]),
            ("cost, $", [f"{float(row['cost_usd']):.4f}" for row in of_regime]),
        ]
        for name, cells in lines:
            table.add_row(name, *cells)
        console.print(table)
    console.print(
        "Proved after each: every insight in a final state and asked about once, no shared prefix written "
        "again while it was warm, ledger and meter equal to the last digit."
    )


def _ends(numbers: Sequence[float]) -> str:
    return f"{min(numbers)} .. {max(numbers)}" if len(numbers) > 1 else f"{numbers[0]}"


def _written(insights: int, rows: Sequence[Measured]) -> dict[str, Any]:
    ratios = {
        regime: {str(row["workers"]): round(per_second(row) / per_second(rows_of[0]), 3) for row in rows_of}
        for regime in REGIMES
        if (rows_of := [row for row in rows if row["regime"] == regime])
    }
    return {
        "insights": insights,
        "cores": os.cpu_count(),
        "concurrency_of_a_worker": CONCURRENCY,
        "postgres": "Debian's, fsync off" if newest_packaged() else "embedded",
        "prefect_database": "PostgreSQL" if newest_packaged() else "SQLite",
        "times_one_worker": ratios,
        "rows": list(rows),
    }


WAITING = """
    SELECT coalesce(wait_event_type || ' ' || wait_event, 'running') FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
"""
RUNS = """
    SELECT started_at, max(recorded_at), sum(asked)
    FROM summary_run LEFT JOIN (
        SELECT flow_run_id, recorded_at, (SELECT count(*) FROM ai_usage_insight AS link
            WHERE link.attempt_id = log.attempt_id) AS asked
        FROM ai_usage_log AS log
    ) AS attempt ON attempt.flow_run_id = run_id
    GROUP BY run_id, started_at ORDER BY started_at
"""

if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else INSIGHTS)
