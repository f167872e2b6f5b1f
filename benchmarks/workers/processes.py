"""Processes of a bench, found by a marker in their environment, and the CPU time that they have used."""

import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

PROC = Path("/proc")
SAMPLE_SECONDS = 1.0
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def marked_processes(marker: str) -> dict[str, list[int]]:
    """Give the processes whose environment has a variable that begins with `marker`, by part.

    Parts: `worker`, `supervisor` (between a worker and its flow, Prefect's own), `flow`.
    """
    found: dict[str, list[int]] = {"worker": [], "supervisor": [], "flow": []}
    for folder in PROC.glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # gone meanwhile, or somebody else's
        if any(variable.startswith(marker.encode()) for variable in variables) and words != [b""]:
            found[part_of([word.decode(errors="replace") for word in words])].append(int(folder.name))
    return found


def part_of(words: Iterable[str]) -> str:
    """Say which part a process is, by its command line."""
    words = list(words)
    if "worker" in words and "start" in words:
        return "worker"
    ours = any(word.endswith("_workspace_runtime_bootstrap.py") for word in words) and "engine" in words
    return "flow" if ours or "prefect.engine" in words or "prefect.flow_engine" in words else "supervisor"


def parent_of(pid: int) -> int:
    """Give the parent of a process."""
    return int(_fields(pid)[1])


def with_children(pid: int) -> list[int]:
    """Give a process and its children."""
    children = (PROC / str(pid) / "task").glob("*/children")
    try:
        found = [int(child) for path in children for child in path.read_text("ascii").split()]
    except (FileNotFoundError, ProcessLookupError):
        found = []
    return [pid, *found]


def cpu_seconds(pid: int) -> float | None:
    """Give the CPU time of a process without its children's; None when it is gone."""
    try:
        return cpu_seconds_of(_fields(pid))
    except (FileNotFoundError, ProcessLookupError):
        return None


def cpu_seconds_of(fields: list[str]) -> float:
    """Add up user and system time of /proc/PID/stat, whose fields here begin with the state."""
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def _fields(pid: int) -> list[str]:
    return (PROC / str(pid) / "stat").read_text("ascii").rpartition(")")[2].split()


class CpuMeter:
    """Adds up the CPU time of parts while the block lasts, looking once a second at who is there.

    `parts` gives the processes of the moment by part; `also` is done after each look.
    """

    def __init__(self, parts: Callable[[], Mapping[str, Iterable[int]]], also: Callable[[], None]) -> None:
        self._parts, self._also = parts, also
        self._first: dict[tuple[str, int], float] = {}
        self._last: dict[tuple[str, int], float] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.failure: Exception | None = None

    def __enter__(self) -> "CpuMeter":
        self._look(new_from_zero=False)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._done.set()
        self._thread.join()
        self._look(new_from_zero=True)
        if self.failure and exc[0] is None:
            raise self.failure

    def seconds(self) -> dict[str, float]:
        """Give the CPU seconds by part so far."""
        used: defaultdict[str, float] = defaultdict(float)
        for (part, pid), last in self._last.items():
            used[part] += last - self._first[part, pid]
        return dict(used)

    def _run(self) -> None:
        try:
            while not self._done.wait(SAMPLE_SECONDS):
                self._look(new_from_zero=True)
                self._also()
        except Exception as failure:  # noqa: BLE001 - raised in the bench's own thread at the end
            self.failure = failure

    def _look(self, *, new_from_zero: bool) -> None:
        for part, pids in self._parts().items():
            for pid in pids:
                if (now := cpu_seconds(pid)) is not None:
                    self._first.setdefault((part, pid), 0.0 if new_from_zero else now)
                    self._last[part, pid] = now
