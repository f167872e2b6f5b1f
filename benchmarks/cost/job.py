"""What the bench tells the process that runs a contender, and what it hears back."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

READY = "ready"  # the first line of a contender's process: it waits for its job
STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Job:
    """One contender on one season; what Touchline's own need besides is in their environment."""

    contender: str  # as the row names it
    lane: str
    prompts: str
    season: str  # the folder
    base_urls: tuple[str, ...]  # one emulator, or one for each kind of call
    record: str | None = None  # a file for the arguments of each request, or from which to read them
    follows_emulator: bool = False  # Touchline's clock is the emulator's, not the system's
    insights_a_day: int = 0  # of a trickle
    minutes_between_runs: int = 0
    hours: int = 0

    @property
    def base_url(self) -> str:
        """The only emulator, or the first."""
        return self.base_urls[0]

    def to_json(self) -> str:
        """Write it as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "Job":
        """Read what `to_json` wrote."""
        given = json.loads(line)
        return cls(**given | {"base_urls": tuple(given["base_urls"])})


@dataclass(slots=True)
class Told:
    """What a contender's process measured of itself; `bills` and `steps` only by Touchline."""

    summaries: int = 0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    bills: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # by name and key, one of each run
    steps: list[dict[str, Any]] = field(default_factory=list)  # of the last run's waterfall

    def total_usd(self, bill: str, key: str = "cost_usd") -> Decimal:
        """Add up one figure over all runs."""
        return sum((Decimal(part) for part in self.bills[bill][key]), Decimal(0))

    def to_json(self) -> str:
        """Write it as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "Told":
        """Read what `to_json` wrote."""
        return cls(**json.loads(line))

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add the time of a block, on the wall and on the processor."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall_seconds += time.perf_counter() - wall
        self.cpu_seconds += time.process_time() - cpu


def peak_memory_mb() -> float:
    """Return the peak of this process alone; what `getrusage` tells counts the parent's at its start too."""
    for line in STATUS.read_text("utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"{STATUS} of process {os.getpid()} tells no peak of memory")
