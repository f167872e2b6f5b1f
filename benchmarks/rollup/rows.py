"""What is written down and shown: a row for each comparison, with its target where it has one."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.rollup.asking import Asked
from benchmarks.rollup.night import Night
from benchmarks.rollup.publishing import Publishing
from benchmarks.rollup.timing import Spread

DAY, MONTH, YEAR = "publish one day", "org_usage 30 days", "platform_usage 1 year"
FIRST_DAY = f"{DAY}, for the first time"
TENTH = "a tenth of the history"
BARE = "a bare delete and insert of its rows"
RATIO_MAX, CHECK_SECONDS_MAX, PEAK_MB_MAX = 3.0, 5.0, 600.0
MONTH_SECONDS_MAX, MONTH_RATIO_MAX, YEAR_SECONDS_MAX = 0.050, 1.5, 0.200
DIGITS = 5  # of seconds


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: `seconds` is the median of what is published, the 95th percentile of what is asked.

    `rows` are those that were published, or the logical calls that the answer is about.
    """

    case: str
    seconds: float
    against: str
    against_seconds: float
    ratio: float
    rows: int
    times: int
    minimum_seconds: float
    median_seconds: float
    p95_seconds: float
    against_times: int
    against_minimum_seconds: float
    against_median_seconds: float
    against_p95_seconds: float


@dataclass(frozen=True, slots=True)
class Target:
    """A figure and what it may be at most."""

    name: str
    figure: float
    maximum: float

    @property
    def reached(self) -> bool:
        """Whether it is."""
        return self.figure <= self.maximum


def published_row(case: str, found: Publishing) -> Row:
    """Compare publishing with the least that it can be, by their medians."""
    return _row(case, found.spread("published"), BARE, found.bare, found.rows, "median")


def asked_rows(case: str, found: Asked, tenth: Spread | None, ours: Spread) -> Iterator[Row]:
    """Compare an answer by rollups with a tenth of the history, and with the same answer by other means."""
    if tenth is not None:
        yield _row(case, ours, TENTH, tenth, found.calls, "p95")
    for number, (name, other) in enumerate(found.others.items()):
        named = case if tenth is None and number == 0 else f"{case}, beside {name}"
        yield _row(named, found.ours, name, other, found.calls, "p95")


def dirty_row(found: Spread, clean: Spread, calls: int) -> Row:
    """Compare an answer of which today is read from the ledger with one that is all published."""
    return _row(f"{MONTH}, today dirty", found, "all days published", clean, calls, "p95")


def _row(case: str, ours: Spread, against: str, other: Spread, rows: int, figure: str) -> Row:
    seconds, against_seconds = getattr(ours, figure), getattr(other, figure)
    return Row(
        case=case,
        seconds=round(seconds, DIGITS),
        against=against,
        against_seconds=round(against_seconds, DIGITS),
        ratio=round(seconds / against_seconds, 4),
        rows=rows,
        times=len(ours.seconds),
        minimum_seconds=round(ours.minimum, DIGITS),
        median_seconds=round(ours.median, DIGITS),
        p95_seconds=round(ours.p95, DIGITS),
        against_times=len(other.seconds),
        against_minimum_seconds=round(other.minimum, DIGITS),
        against_median_seconds=round(other.median, DIGITS),
        against_p95_seconds=round(other.p95, DIGITS),
    )


def targets(rows: Mapping[str, Row], publishing: Publishing, night: Night) -> list[Target]:
    """Return what issue 7 asks for."""
    return [
        Target(f"{DAY}: ratio to {BARE}", rows[DAY].ratio, RATIO_MAX),
        Target(
            "checks of one day, seconds (p95)", round(publishing.spread("check").p95, 3), CHECK_SECONDS_MAX
        ),
        Target("the night's process, peak MB", round(night.peak_memory_mb, 1), PEAK_MB_MAX),
        Target(f"{MONTH}: p95 seconds", rows[MONTH].seconds, MONTH_SECONDS_MAX),
        Target(f"{MONTH}: ratio of p95 to {TENTH}", rows[MONTH].ratio, MONTH_RATIO_MAX),
        Target(f"{YEAR}: p95 seconds", rows[YEAR].seconds, YEAR_SECONDS_MAX),
    ]


def parts_of(publishing: Publishing) -> dict[str, Any]:
    """Return the seconds of each step of publishing the day."""
    steps = {name: publishing.spread(name) for name in ("stage", "publish", "leave", "check")}
    return {
        name: {"minimum": one.minimum, "median": one.median, "p95": one.p95}
        for name, one in (steps | {"bare": publishing.bare}).items()
    }


def written(rows: list[Row], reached: list[Target], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return all of it for the results file."""
    return {
        "rows": [asdict(row) for row in rows],
        "targets": [asdict(target) | {"reached": target.reached} for target in reached],
        **extra,
    }


def show(console: Console, rows: list[Row], reached: list[Target], title: str) -> None:
    """Print the comparisons, then the targets."""
    table = Table("case", "against", title=f"{title}, {os.cpu_count()} cores; seconds: min / median / p95")
    for name in ("rows", "times", "ours", "against", "ratio"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        ours = (row.minimum_seconds, row.median_seconds, row.p95_seconds)
        others = (row.against_minimum_seconds, row.against_median_seconds, row.against_p95_seconds)
        seconds = (" / ".join(f"{one:.3f}" for one in three) for three in (ours, others))
        table.add_row(row.case, row.against, f"{row.rows:,}", f"{row.times}", *seconds, f"{row.ratio:.3f}")
    console.print(table)
    for target in reached:
        said = "reached" if target.reached else "MISSED"
        console.print(
            f"{target.name}: {target.figure:,}, at most {target.maximum:g}: {said}", highlight=False
        )
