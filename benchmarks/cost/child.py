"""`python -m benchmarks.cost.child CONTENDER < JOB`: run one contender, and print what it took.

It imports what it needs, says so in its first line on stdout, and waits for its job.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from benchmarks.cost import texts
from benchmarks.cost.asked import Asked, read_asked
from benchmarks.cost.job import READY, Job, Told, peak_memory_mb

Run = Callable[[Job, Sequence[Asked], Told], None]
CONTENDERS: Mapping[str, tuple[str, str]] = {  # the module and its function: others' libraries take long
    "naive": ("sdk", "naive"),
    "as-first-designed": ("sdk", "as_first_designed"),
    "lean-two-calls": ("sdk", "lean_two_calls"),
    "lean-cached": ("sdk", "lean_cached"),
    "asyncio-bare": ("sdk", "bare"),
    "langchain": ("langchain_batch", "run"),
    "litellm": ("litellm_batch", "run"),
    "touchline-single": ("ours", "single"),
    "touchline-packed": ("ours", "packed"),
    "trickle": ("trickle", "run_by_the_clock"),
    "batch-naive": ("batches", "naive"),
    "batch-cold": ("batches", "cold"),
    "batch-prewarmed": ("batches", "prewarmed"),
}
READS_NO_SEASON = {"ours", "trickle"}  # they have it in their database, or load it bit by bit


def main(contender: str) -> None:
    """Run it; the last line on stdout is what it told."""
    module, name = CONTENDERS[contender]
    run: Run = getattr(import_module(f"benchmarks.cost.{module}"), name)
    print(READY, flush=True)
    job = Job.from_json(sys.stdin.readline())
    os.environ["ANTHROPIC_BASE_URL"] = job.base_url
    texts.use(job.prompts)
    asked = [] if module in READS_NO_SEASON else read_asked(Path(job.season), datetime.now(UTC).date())
    told = Told(summaries=len(asked))
    run(job, asked, told)
    told.peak_memory_mb = peak_memory_mb()
    print(told.to_json())


if __name__ == "__main__":
    main(sys.argv[1])
