"""`python -m benchmarks.rollup.night`: the whole nightly flow in a process of its own, and what it took.

The database is in the environment. Prefect and Great Expectations are imported as the flow does it; the
Prefect server is another process, as it is in production.
"""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.cost.job import peak_memory_mb
from cli.prefect_api import prefect_api


@dataclass(frozen=True, slots=True)
class Night:
    """One run of the flow: its seconds without the imports of Prefect, but with those of the checks."""

    days: int
    rows: int
    checks: int
    seconds: float
    peak_memory_mb: float


def run_night(url: str, home: Path) -> Night:
    """Run the flow on what is marked in a database."""
    environment = os.environ | {"DATABASE_URL": url, "TOUCHLINE_HOME": str(home)}
    child = [sys.executable, "-m", "benchmarks.rollup.night"]
    answer = subprocess.run(child, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return Night(**json.loads(answer.stdout.splitlines()[-1]))


def main() -> None:
    """Run the flow in this process; the last line on stdout is what it took."""
    with prefect_api(Path(os.environ["TOUCHLINE_HOME"])):
        from benchmarks.rollup.publishing import Standstill
        from flows.rollup import nightly_rollup

        began = perf_counter()
        report = asyncio.run(nightly_rollup(clock=Standstill()))
        seconds = perf_counter() - began
    assert report.published, report
    told = {
        "days": len(report.days),
        "rows": report.rows,
        "checks": report.checks.passed,
        "seconds": seconds,
        "peak_memory_mb": peak_memory_mb(),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
