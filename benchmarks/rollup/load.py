"""A database with years of ledger: loaded in bulk, then left as if every row had come one by one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.rollup.league import coach_rows, league, organization_rows, player_rows
from benchmarks.rollup.lines import COLUMNS, ledger

LEDGER = "ai_usage_log"


def load(url: str, rows: int) -> None:
    """Fill a migrated, empty database with so many ledger rows and the people they name.

    Without indexes and triggers, which are put back; every loaded day is then marked dirty by the triggers
    themselves, which see one of its rows change. Sessions of the server must be in UTC, as ours are.
    """
    of = league()
    with psycopg.connect(url) as connection:
        _copy(connection, "organization", PEOPLE["organization"], organization_rows(of))
        _copy(connection, "coach", PEOPLE["coach"], coach_rows(of))
        _copy(connection, "player", PEOPLE["player"], player_rows(of))
        with _bare(connection), connection.cursor().copy(_copying(LEDGER, COLUMNS)) as copy:
            for lines in ledger(of, rows):
                copy.write(lines)
        connection.execute(MARK_ALL)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


@contextmanager
def _bare(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Have the ledger without triggers, keys and indexes for the length of the block."""
    found = {"ledger": LEDGER}
    keys = connection.execute(KEYS, found).fetchall()
    for table, name, _ in keys:
        connection.execute(_statement("ALTER TABLE {} DROP CONSTRAINT {}", table, name))
    indexes = connection.execute(INDEXES, found).fetchall()
    for name, _ in indexes:
        connection.execute(_statement("DROP INDEX {}", name))
    connection.execute(_statement("ALTER TABLE {} DISABLE TRIGGER USER", LEDGER))
    yield
    connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
    for table, name, definition in reversed(keys):
        connection.execute(_statement(f"ALTER TABLE {{}} ADD CONSTRAINT {{}} {definition}", table, name))
    for _, definition in indexes:
        connection.execute(definition.encode())
    connection.execute(_statement("ALTER TABLE {} ENABLE TRIGGER USER", LEDGER))


def _copy(
    connection: psycopg.Connection[Any], table: str, columns: Iterable[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    with connection.cursor().copy(_copying(table, columns)) as copy:
        for row in rows:
            copy.write_row(row)


def _copying(table: str, columns: Iterable[str]) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)


def _statement(text: str, *names: str) -> sql.Composed:
    return sql.SQL(text).format(*map(sql.Identifier, names))


PEOPLE = {
    "organization": ("id", "name", "timezone"),
    "coach": (
        "id",
        "auth_id",
        "organization_id",
        "name",
        "tone",
        "summaries_enabled",
        "skip_sensitive",
        "approvals",
        "suppressions",
    ),
    "player": ("id", "organization_id", "first_name", "sport"),
}
KEYS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE confrelid = %(ledger)s::regclass OR (conrelid = %(ledger)s::regclass AND contype = 'p')
    ORDER BY contype
"""
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %(ledger)s"
MARK_ALL = """
    UPDATE ai_usage_log SET recorded_at = recorded_at
    WHERE attempt_id IN (
        SELECT (
            SELECT attempt_id FROM ai_usage_log
            WHERE occurred_at >= day AND occurred_at < day + interval '1 day'
            ORDER BY occurred_at, attempt_id LIMIT 1
        )
        FROM (SELECT min(occurred_at) AS oldest, max(occurred_at) AS newest FROM ai_usage_log) AS history,
            generate_series(date_trunc('day', oldest, 'UTC'), newest, '1 day') AS day
    )
"""
