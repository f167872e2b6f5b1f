"""`python -m benchmarks.rollup [ROWS]` (5,000,000 by default): rollups at size, beside other means.

A seeded history is rolled up from nothing. Then, on a server with the settings that ours have: a day is
published, again after late rows and for the first time, beside a bare delete and insert of its rows (checks,
and cleaning up afterwards, are told apart); the largest club's month and the platform's year are asked of the
rollups, beside SQL on the ledger, pandas and DuckDB over Parquet; and the whole flow runs in a process of its
own. All answers must be equal, to the last digit.
"""

import asyncio
import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.cost.rig import Rig
from benchmarks.rollup import rows as told
from benchmarks.rollup.asking import DUCKDB, PANDAS, SQL, Asked, ask_both, ask_everybody, ask_while_dirty
from benchmarks.rollup.evenings import ROWS
from benchmarks.rollup.night import Night, run_night
from benchmarks.rollup.parquet import export
from benchmarks.rollup.publishing import Publishing, busy_day, publish_marked, publish_one_day, rebuilt, touch
from benchmarks.rollup.questions import organization_month, platform_year
from benchmarks.rollup.rig import history, rig
from benchmarks.rollup.rows import Row
from benchmarks.rollup.timing import Spread, timed

FILE = Path(__file__).parent.parent / "results" / "rollup.json"
MONTH_TIMES, YEAR_TIMES = 200, 100
OTHERS_MONTH = {SQL: 20, PANDAS: 5, DUCKDB: 20}
OTHERS_YEAR = {SQL: 3, PANDAS: 3, DUCKDB: 5}


def main(rows: int) -> int:
    """Measure, show and write down; 1 when answers differ."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    console = Console(width=150)
    load_before = os.getloadavg()
    with rig() as place, history(place, rows) as url, history(place, rows // 10) as tenth_url:
        bench = Bench(console, place, url, tenth_url)
        bench.run()
    reached = told.targets({row.case: row for row in bench.rows}, bench.publishing, bench.night)
    told.show(console, bench.rows, reached, f"{rows:,} ledger rows")
    extra = {"ledger_rows": rows, "load_before": load_before, "cores": os.cpu_count(), **bench.extra}
    if rows == ROWS:  # a small run is only shown
        FILE.write_text(json.dumps(told.written(bench.rows, reached, extra), indent=1) + "\n", "utf-8")
    console.print(f"not equal: {', '.join(bench.differing)}" if bench.differing else "all answers are equal")
    return 1 if bench.differing else 0


class Bench:
    """What is measured, in its order, and what came of it."""

    publishing: Publishing
    night: Night

    def __init__(self, console: Console, place: Rig, url: str, tenth_url: str) -> None:
        self._console = console
        self._place = place
        self._url = url
        self._tenth_url = tenth_url
        self.rows: list[Row] = []
        self.extra: dict[str, Any] = {}
        self.differing: list[str] = []

    def run(self) -> None:
        """Measure everything; when it ends, both histories are as they were published."""
        self._rebuild()
        self._publish()
        self._run_flow()
        file = self._place.place("ledger.parquet")
        exported, seconds = timed(lambda: export(self._url, file))
        self._tell("export to Parquet", {"seconds": seconds, "rows": exported, "bytes": file.stat().st_size})
        self._ask_month(file)
        self._ask_year(file)

    def _rebuild(self) -> None:
        for name, url in (("rebuild", self._url), ("rebuild of a tenth", self._tenth_url)):
            staged, published, rows = asyncio.run(rebuilt(url))
            self._tell(name, {"stage_seconds": staged, "publish_seconds": published, "rows": rows})

    def _publish(self) -> None:
        self.publishing, first = publish_one_day(self._url, busy_day())
        for case, found in ((told.DAY, self.publishing), (told.FIRST_DAY, first)):
            self.rows.append(told.published_row(case, found))
            day = {"day": str(found.day), "ledger_rows": found.ledger_rows}
            self._tell(f"parts of: {case}", day | told.parts_of(found))

    def _run_flow(self) -> None:
        touch(self._url, busy_day(), -1)
        self.night = run_night(self._url, self._place.place("night"))
        self._tell("the whole flow", asdict(self.night))

    def _ask_month(self, file: Path) -> None:
        question = organization_month()
        found = ask_everybody(self._url, file, question, MONTH_TIMES, OTHERS_MONTH)
        ours, tenth = ask_both((self._url, self._tenth_url), question, MONTH_TIMES)
        self._add(told.MONTH, found, tenth, ours)
        answer, dirty = ask_while_dirty(self._url, question, MONTH_TIMES)
        self.rows.append(told.dirty_row(dirty, ours, found.calls))
        if answer != found.answer:
            self.differing.append(f"{told.MONTH} while today is dirty")

    def _ask_year(self, file: Path) -> None:
        asyncio.run(publish_marked(self._url))
        found = ask_everybody(self._url, file, platform_year(), YEAR_TIMES, OTHERS_YEAR)
        self._add(told.YEAR, found, None, found.ours)

    def _add(self, case: str, found: Asked, tenth: Spread | None, ours: Spread) -> None:
        self.rows += told.asked_rows(case, found, tenth, ours)
        self.differing += [f"{case} by {name}" for name in found.differing]

    def _tell(self, name: str, figures: dict[str, Any]) -> None:
        self.extra[name] = figures
        self._console.print(f"{name}: {json.dumps(figures, default=str)}", highlight=False)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else ROWS))
