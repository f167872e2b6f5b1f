"""`python -m benchmarks.collect.child CASE FILE PROMPT PRICE TONE`: run a case, and print what it took.

The database, the emulator and the key are in the environment. Neither start-up nor imports are timed. Each
case imports only what it needs: its peak of memory is its own.
"""

import asyncio
import os
import sys
from pathlib import Path

from benchmarks.cost.job import Told, peak_memory_mb

OURS, PLAIN = "ours", "plain"


def main(case: str, file: str, *versions: str) -> None:
    """Run a case; the only line on stdout is what it told."""
    told = Told()
    if case == OURS:
        asyncio.run(_ours(told))
    else:
        _plain(told, Path(file), versions)
    told.peak_memory_mb = peak_memory_mb()
    print(told.to_json())


async def _ours(told: Told) -> None:
    """Look at all open batches, as `flows.overnight` does, until everything is collected."""
    from core.settings import Settings
    from core.states import InsightState, Lane
    from tasks.clock import SystemClock
    from tasks.collecting import look_at_all
    from tasks.run import open_run

    settings = Settings()
    async with open_run(
        run_id="bench", settings=settings, model=settings.model, clock=SystemClock(), lane=Lane.OVERNIGHT
    ) as run:
        with told.timed():
            while await look_at_all(run):
                pass  # what is still open was refused, and is on stderr
        told.summaries = run.states[InsightState.SUMMARIZED]


def _plain(told: Told, file: Path, versions: tuple[str, ...]) -> None:
    import psycopg

    from benchmarks.collect.plain import Versions, insert_all

    with psycopg.connect(os.environ["DATABASE_URL"]) as connection, told.timed():
        told.summaries = insert_all(connection, file, Versions(*versions))


if __name__ == "__main__":
    main(*sys.argv[1:])
