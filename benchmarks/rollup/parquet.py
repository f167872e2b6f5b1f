"""The ledger as one Parquet file, in the order of time: what DuckDB and pandas read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import psycopg

COLUMNS = {
    "attempt_id": "VARCHAR",
    "call_id": "VARCHAR",
    "occurred_at": "TIMESTAMPTZ",
    "organization_id": "VARCHAR",
    "coach_id": "VARCHAR",
    "player_id": "VARCHAR",
    "operation": "VARCHAR",
    "model": "VARCHAR",
    "inference_geo": "VARCHAR",
    "outcome": "VARCHAR",
    "input_tokens": "INTEGER",
    "cache_read_tokens": "INTEGER",
    "cache_write_5m_tokens": "INTEGER",
    "cache_write_1h_tokens": "INTEGER",
    "output_tokens": "INTEGER",
    "cache_hit_rate": "DECIMAL(7, 6)",
    "cost_usd": "DECIMAL(30, 12)",
    "estimated_cost_usd": "DECIMAL(30, 12)",
}

COPY = f"""
    COPY (SELECT {", ".join(COLUMNS)} FROM ai_usage_log ORDER BY occurred_at, attempt_id)
    TO STDOUT (FORMAT csv)
"""  # noqa: S608


def export(url: str, file: Path) -> int:
    """Write the columns of the ledger that usage is made of; gives the rows."""
    lines = file.with_suffix(".csv")
    with (
        psycopg.connect(url) as connection,
        lines.open("wb") as written,
        connection.cursor().copy(COPY.encode()) as copy,
    ):
        for block in copy:
            written.write(block)
    with duck() as engine:
        read = engine.read_csv(str(lines), header=False, columns=COLUMNS)
        read.write_parquet(str(file))
        rows = engine.execute("SELECT count(*) FROM read_parquet(?)", [str(file)]).fetchone()
    lines.unlink()
    assert rows is not None
    return int(rows[0])


@contextmanager
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    """Have DuckDB in this process, in UTC as our sessions of PostgreSQL are."""
    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        yield engine
