"""`python -m benchmarks.cost [WORKLOAD] [LANE]`: what 1,000 summaries cost, Touchline beside others.

Each contender runs in a process of its own against a fresh emulator, whose meter is what it costs; what
Touchline reports of itself must agree with it to the last digit. Latency is off unless the workload is about
it: that flatters those who send many cold calls at once, because an answer that takes no time can be read
from the cache by the next one. Overnight the emulator's clock stands still unless a contender waits, which
moves it on. A row replaces the earlier one of its kind in `benchmarks/results/cost.json`; with a lane only
that is measured, and held against the naive row that is on file.
"""

import signal
import sys

from rich.console import Console

from benchmarks.cost.measure import Measured, measure
from benchmarks.cost.rig import rig
from benchmarks.cost.rows import read_rows, replaced, write_rows
from benchmarks.cost.show import WIDTH, draw_chart, show_progress, show_rows, show_targets
from benchmarks.cost.stairs import draw_stairs, has_stairs, show_stairs
from benchmarks.cost.suite import NAMES, chosen
from benchmarks.cost.targets import targets
from core.states import Lane


def main(name: str, lane: str) -> int:
    """Measure a workload, or all, in a lane, or both; the exit code is 2 for a name that there is not."""
    for given, known in ((name, NAMES), (lane, tuple(Lane))):
        if given and given not in known:
            print(f"there is no {given!r}; there are: {', '.join(known)}", file=sys.stderr)
            return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    console = Console(width=WIDTH)
    rows, measured = read_rows(), list[Measured]()
    with rig() as place:
        for workload in chosen(name):
            for found in measure(workload, [Lane(lane)] if lane else list(Lane), place, rows):
                measured.append(found)
                show_progress(console, found)
                rows = replaced(read_rows(), [found.row], NAMES)  # another bench may have written
                write_rows(rows)
    show_rows(console, (found.row for found in measured))
    misses = {found.row.contender: found.misses for found in measured if found.misses}
    show_targets(console, targets(rows, misses))
    for found in measured:
        if has_stairs(found.row):
            show_stairs(console, found.steps, found.summaries)
            draw_stairs(found.steps, found.summaries)
    draw_chart(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(*[*sys.argv[1:], "", ""][:2]))
