"""The least that publishing a day can be: its finished rows, deleted and inserted in one transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.rollup.timing import timed
from tasks.rollups import ROLLUPS

TABLES = {
    model.__table__.name: [key.name for key in model.__table__.primary_key] for model in ROLLUPS.values()
}


class Bare:
    """Finished rows of one day in plain tables: no key, no index, in the order of the keys."""

    def __init__(self, connection: psycopg.Connection[Any], day: date) -> None:
        self._connection = connection
        self._day = day

    def take_over(self) -> int:
        """Take what is published now; gives its rows."""
        rows = 0
        for table in TABLES:
            self._run("TRUNCATE {plain}", table)
            rows += self._run("INSERT INTO {plain} " + PUBLISHED, table)
        return rows

    def unpublish(self) -> None:
        """Make the day one that was never published."""
        with self._connection.transaction():
            for table in (*TABLES, "rollup_day"):
                self._run("DELETE FROM {rollup} WHERE utc_day = {day}", table)

    def replace(self) -> float:
        """Delete and insert, as much as that; gives the seconds, commit included."""
        return timed(self._replace)[1]

    def _replace(self) -> None:
        with self._connection.transaction():
            for table in TABLES:
                self._run("DELETE FROM {rollup} WHERE utc_day = {day}", table)
                self._run("INSERT INTO {rollup} SELECT * FROM {plain}", table)

    def make(self) -> None:
        """Make the plain tables."""
        for table in TABLES:
            self._run("CREATE TABLE {plain} AS " + PUBLISHED + " LIMIT 0", table)

    def drop(self) -> None:
        """Remove them."""
        for table in TABLES:
            self._run("DROP TABLE {plain}", table)

    def _run(self, text: str, table: str) -> int:
        statement = sql.SQL(text).format(
            rollup=sql.Identifier(table),
            plain=sql.Identifier(f"plain_{table}"),
            day=sql.Literal(self._day),
            key=sql.SQL(", ").join(map(sql.Identifier, TABLES.get(table, ()))),
        )
        return self._connection.execute(statement).rowcount


@contextmanager
def bare(url: str, day: date) -> Iterator[Bare]:
    """Have the plain tables for a while."""
    with psycopg.connect(url, autocommit=True) as connection:
        plain = Bare(connection, day)
        plain.make()
        yield plain
        plain.drop()


PUBLISHED = "SELECT * FROM {rollup} WHERE utc_day = {day} ORDER BY {key}"
