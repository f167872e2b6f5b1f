"""The one place that outlives an answer: an SQLite database, in a file or in a temporary one.

With a file, what was committed survives `kill -9`: the answer to a request goes out after its commit. Not a
power cut: writes are left to the operating system. Without a file SQLite keeps a temporary one of its own
that it deletes, so that memory stays bounded either way.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

# "TLem", so that a file of something else is not written into.
APPLICATION_ID = 0x544C656D
VERSION = 1
EPOCH = datetime.fromtimestamp(0, UTC)
MICROSECOND = timedelta(microseconds=1)


class NotOurFile(Exception):
    """The file given as `--state` cannot be used; the message says why."""


class Store:
    """A connection with explicit transactions; used by one thread only."""

    def __init__(self, file: Path | None = None) -> None:
        try:
            # "" is SQLite's own temporary file.
            self._connection = sqlite3.connect(file or "", isolation_level=None, timeout=0)
            self._open(file)
        except sqlite3.DatabaseError as error:
            raise NotOurFile(f"--state {file}: {_explained(error)}") from error

    def _open(self, file: Path | None) -> None:
        self.run("PRAGMA locking_mode = EXCLUSIVE")
        (found,) = self.one("PRAGMA application_id")
        (tables,) = self.one("SELECT count(*) FROM sqlite_schema")
        if tables == 0:
            self._connection.executescript(
                f"BEGIN; {_schema()}; PRAGMA application_id = {APPLICATION_ID}; "
                f"PRAGMA user_version = {VERSION}; COMMIT"
            )
        elif found == APPLICATION_ID and self.one("PRAGMA user_version")[0] != VERSION:
            raise NotOurFile(f"--state {file}: of another version of this emulator; name a new file")
        elif found != APPLICATION_ID:
            raise NotOurFile(f"--state {file}: not a state file of this emulator; name a new file")
        self.run(f"PRAGMA journal_mode = {'WAL' if file else 'MEMORY'}")
        self.run("PRAGMA synchronous = OFF")

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def run(self, statement: str, *values: Any) -> sqlite3.Cursor:
        """Execute one statement; its cursor gives the rows."""
        return self._connection.execute(statement, values)

    def run_many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute one statement for each row of values."""
        self._connection.executemany(statement, rows)

    def one(self, query: str, *values: Any) -> Any:
        """The first row of a query, or None."""
        return self._connection.execute(query, values).fetchone()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block or nothing of it; inside another transaction, a part of that one."""
        if self._connection.in_transaction:
            begin, undo, end = "SAVEPOINT part", "ROLLBACK TO part", "RELEASE part"
        else:
            begin, undo, end = "BEGIN IMMEDIATE", "ROLLBACK", "COMMIT"
        self.run(begin)
        try:
            yield
        except BaseException:
            self.run(undo)
            raise
        self.run(end)

    def forget(self) -> None:
        """Empty every table."""
        with self.transaction():
            for (table,) in self.run("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
                self.run(f"DELETE FROM {table}")  # noqa: S608 - names of our own schema

    def fact(self, name: str) -> int:
        """A single number that is remembered; 0 until it is set."""
        row = self.one("SELECT value FROM fact WHERE name = ?", name)
        return row[0] if row else 0

    def set_fact(self, name: str, value: int) -> None:
        self.run(
            "INSERT INTO fact VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", name, value
        )


def micros(moment: datetime) -> int:
    """A time as it is stored."""
    return (moment - EPOCH) // MICROSECOND


def moment(stored: int) -> datetime:
    """A time as it was before it was stored."""
    return EPOCH + timedelta(microseconds=stored)


def _schema() -> str:
    return resources.files("emulator.books").joinpath("schema.sql").read_text(encoding="utf-8")


def _explained(error: sqlite3.DatabaseError) -> str:
    if "locked" in str(error):
        return "another emulator is using it"
    return f"{error}; name a new file in a folder that can be written"
