"""`python -m benchmarks.crashes [CASE ...]`: who is killed in the middle of a run, what is seen and lost.

Each case has servers, workers, an emulator and databases of its own, and is a process of its own, so that the
waiting of all goes on at once: about 15 minutes for all. Times are seconds since the kill.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.workers.crash_scene import CASES, DOWN_SECONDS, INSIGHTS, LEASE_SECONDS, LOOK_SECONDS

FILE = Path(__file__).parent / "results" / "crashes.json"


def main(names: Sequence[str]) -> int:
    """Play the cases, show them side by side and write them down; 1 when one has failed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    console, load = Console(width=150), os.getloadavg()[0]
    with TemporaryDirectory(prefix="touchline-crashes-") as folder:
        played = play_all(console, names, Path(folder))
    show(console, [told for told in played.values() if told is not None])
    failed = [name for name, told in played.items() if told is None]
    if failed:
        console.print(f"failed, see above: {', '.join(failed)}")
    elif set(names) == set(CASES):  # a part is only shown
        written = {
            "insights": INSIGHTS,
            "lease_seconds": LEASE_SECONDS,
            "server_away_seconds": DOWN_SECONDS,
            "cores": os.cpu_count(),
            "load_before": round(load, 2),
            "cases": list(played.values()),
        }
        FILE.write_text(json.dumps(written, indent=1) + "\n", "utf-8")
    return int(bool(failed))


def play_all(console: Console, names: Sequence[str], folder: Path) -> dict[str, dict[str, Any] | None]:
    """Play all cases at once, each in a process, and tell each when it ends; None for one that has failed."""
    children: dict[str, subprocess.Popen[bytes]] = {}
    played: dict[str, dict[str, Any] | None] = {}
    try:
        for name in names:
            command = [sys.executable, "-m", "benchmarks.workers.crash_scene", name, str(folder / "lock")]
            with (folder / name).open("wb") as told:
                children[name] = subprocess.Popen(command, stdout=told)
        while len(played) < len(children):
            time.sleep(LOOK_SECONDS)
            for name in [name for name in names if name not in played and children[name].poll() is not None]:
                played[name] = _told(children[name], folder / name)
                console.print_json(json.dumps(played[name]), indent=None)
        return {name: played[name] for name in names}
    finally:
        for child in children.values():
            child.terminate()
        for child in children.values():
            child.wait()


def _told(child: "subprocess.Popen[bytes]", file: Path) -> dict[str, Any] | None:
    return None if child.returncode else dict(json.loads(file.read_text("utf-8").splitlines()[-1]))


def show(console: Console, cases: Sequence[Mapping[str, Any]]) -> None:
    """Print the cases beside each other."""
    table = Table(
        "killed",
        title=f"{INSIGHTS} insights; seconds since the kill in the middle; leases of {LEASE_SECONDS} s",
    )
    for case in cases:
        table.add_column(case["case"])
    for name, cell in ROWS.items():
        table.add_row(name, *(cell(case) for case in cases))
    console.print(table)


def timeline(states: Sequence[Sequence[Any]], after: float | None = None) -> str:
    """Tell the states that a run went through, with when."""
    told = [f"{name} {when:g}" for when, name, _ in states if after is None or when >= after]
    return ", ".join(told) or "none"


def _refused(case: Mapping[str, Any]) -> str:
    refused = [one[-1][0] for one in case["summarize"] if one[-1][1] == "Cancelled"]
    return f"{len(refused)}, until {max(refused):g}" if refused else "none"


def _accepted(case: Mapping[str, Any]) -> str:
    running = [when for one in case["summarize"] for when, name, _ in one if name == "Running"]
    return f"{min(running):g}" if running else "never"


def _lost(case: Mapping[str, Any]) -> str:
    return f"{case['lost_attempts']} calls, ${float(case['lost_usd']):.5f}"


def _span(seconds: Sequence[float] | None) -> str:
    return f"{seconds[0]:g} .. {seconds[1]:g}" if seconds else "not needed"


ROWS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "the run shows": lambda case: timeline(case["run"], after=-1e9),
    "slots of its deployment": lambda case: ", ".join(
        f"{taken} at {when:g}" for when, taken in case["slots"]
    ),
    "catch-up, asked at once": lambda case: timeline(case["catch_up"]),
    "runs of summarize refused": _refused,
    "summarize accepted": _accepted,
    "answered, claimed, in flight": lambda case: " / ".join(str(n) for n in case["at_the_kill"].values()),
    "last lease ends": lambda case: f"{case['leases_end']:g}" if case["leases_end"] else "none held",
    "what it held is asked again": lambda case: _span(case["claimed_again"]),
    "all done": lambda case: f"{case['done']:g}",
    "lost": _lost,
    "ledger, meter $": lambda case: f"{float(case['ledger_usd']):.5f}, {float(case['meter_usd']):.5f}",
    "rows, requests": lambda case: f"{case['ledger_requests']}, {case['meter_requests']}",
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(CASES)))
