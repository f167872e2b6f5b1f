"""Worker processes for tests: each runs the flow, and leaves its report in a file of its own.

They are forked from one process that has imported everything, which takes seconds. Their pages are small,
so that no worker takes everything before the others have begun.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from flows.summarize import summarize_pending
from tasks import insights, run

PAGE_INSIGHTS = 30
CALLS_AHEAD_MIN = 10


def work(report: Path) -> None:
    """Run the flow in this process."""
    report.write_text(json.dumps(asyncio.run(summarize_pending()).to_json()), "utf-8")


def main(folder: Path, workers: int) -> int:
    """Fork the workers and wait for all; gives how many have failed."""
    insights.PAGE_INSIGHTS, run.CALLS_AHEAD_MIN = PAGE_INSIGHTS, CALLS_AHEAD_MIN
    children = []
    for number in range(workers):
        child = os.fork()
        if not child:
            failed = True
            try:
                work(folder / f"{number}.json")
                failed = False
            finally:
                os._exit(failed)
        children.append(child)
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
