"""Where the bench runs: a database server of its own, with the settings that ours have, and what it holds."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cost.rig import OURS, QUIET, Rig, fresh_database
from benchmarks.rollup.load import load
from database import embedded, migrate


@contextmanager
def rig() -> Iterator[Rig]:
    """Have the server for as long as the block lasts; the environment is then the bench's own."""
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]
    os.environ |= QUIET
    with TemporaryDirectory(prefix="touchline-bench-") as folder, embedded.attached(Path(folder)) as url:
        yield Rig(Path(folder), url)


@contextmanager
def history(of: Rig, rows: int) -> Iterator[str]:
    """Have a database with so many ledger rows, none of them rolled up; gives its URL."""
    with fresh_database(of) as url:
        migrate.upgrade(url)
        load(url, rows)
        yield url
