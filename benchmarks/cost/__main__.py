"""`python -m benchmarks.cost [WORKLOAD]`: what 1,000 summaries cost, Touchline beside others.

Each contender runs in a process of its own against a fresh emulator, whose meter is what it costs; what
Touchline reports of itself must agree with it to the last digit. Latency is off unless the workload is about
it: that flatters those who send many cold calls at once, because an answer that takes no time can be read
from the cache by the next one. A row replaces the earlier one of its kind in `benchmarks/results/cost.json`.
"""

import signal
import sys

from rich.console import Console

from benchmarks.cost.measure import measure
from benchmarks.cost.misses import Misses
from benchmarks.cost.rig import rig
from benchmarks.cost.rows import Row, read_rows, replaced, write_rows
from benchmarks.cost.show import WIDTH, draw_chart, show_progress, show_rows, show_targets
from benchmarks.cost.suite import NAMES, chosen
from benchmarks.cost.targets import targets


def main(name: str | None) -> int:
    """Measure a workload, or all; the exit code is 2 for a name that there is not."""
    if name and name not in NAMES:
        print(f"no workload {name!r}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    console = Console(width=WIDTH)
    rows, measured, misses = read_rows(), list[Row](), dict[str, Misses]()
    with rig() as place:
        for workload in chosen(name):
            for found in measure(workload, place, rows):
                measured.append(found.row)
                if found.misses:
                    misses[found.row.contender] = found.misses
                show_progress(console, found)
                rows = replaced(read_rows(), [found.row], NAMES)  # another bench may have written
                write_rows(rows)
    show_rows(console, measured)
    show_targets(console, targets(rows, misses))
    draw_chart(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else None))
