"""The rows of `benchmarks/results/cost.json`, one for each contender."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path

from core.states import Lane

RESULTS = Path(__file__).parent.parent / "results"
FILE = RESULTS / "cost.json"
PER_1000_STEP = Decimal("0.000000001")


@dataclass(frozen=True, slots=True)
class Row:
    """What one contender took; None for what it cannot tell. Money is US dollars in decimal strings."""

    workload: str
    prompts: str
    lane: str
    contender: str
    model: str
    calls: int  # answered and billed by the emulator
    cost_usd: str  # of the emulator's meter
    usd_per_1000_summaries: str
    percent_of_naive: float | None
    efficiency: float | None  # floor / cost of the calls that were made
    predicted_cost_usd: str | None  # before the run, given the answers' lengths
    hit_rate: float
    wall_seconds: float
    bound_seconds: float | None  # what a perfect client needs under the same limits
    cpu_ms_per_call: float
    peak_memory_mb: float

    @property
    def key(self) -> tuple[str, str, str, str]:
        """There is one row of each."""
        return self.workload, self.prompts, self.lane, self.contender


def read_rows(path: Path = FILE) -> list[Row]:
    """Return the rows of earlier runs."""
    return [Row(**row) for row in json.loads(path.read_text("utf-8"))] if path.exists() else []


def write_rows(rows: Iterable[Row], path: Path = FILE) -> None:
    """Write all rows, one a line."""
    path.parent.mkdir(exist_ok=True)
    lines = ",\n".join(json.dumps(asdict(row)) for row in rows)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def replaced(rows: Iterable[Row], new: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """Return the rows with those that were measured anew replaced, in the order of the suite, live first."""
    gone = {row.key for row in new}
    kept = [row for row in rows if row.key not in gone and row.workload in names]
    return sorted([*kept, *new], key=lambda row: (names.index(row.workload), row.lane))


def find(
    rows: Iterable[Row],
    workload: str,
    contender: str,
    prompts: str = "reference",
    lane: str = Lane.LIVE,
) -> Row | None:
    """Return one row, or None when it was not measured."""
    return next((row for row in rows if row.key == (workload, prompts, lane, contender)), None)
