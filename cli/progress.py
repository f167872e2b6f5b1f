"""Progress of a run: a bar on a terminal, plain lines otherwise; always on stderr."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cli.output import complain

LINE_SECONDS = 5.0  # between plain lines


@contextmanager
def progress(total: int, things: str = "insights") -> Iterator[Callable[[Counter[str]], None]]:
    """Give a function that is told how many things are done, by state."""
    if not sys.stderr.isatty():
        yield _plain_lines(total, things)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        shown = bar.add_task(things, total=total)
        yield lambda states: bar.update(shown, completed=states.total())


def _plain_lines(total: int, things: str) -> Callable[[Counter[str]], None]:
    told_at = time.monotonic()

    def tell(states: Counter[str]) -> None:
        nonlocal told_at
        done = states.total()
        if done >= total or time.monotonic() - told_at >= LINE_SECONDS:
            told_at = time.monotonic()
            complain(
                f"{done} of {total} {things}: " + ", ".join(f"{n} {state}" for state, n in states.items())
            )

    return tell
