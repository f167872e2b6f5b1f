"""The same answer by SQL from the ledger itself: in PostgreSQL, and in DuckDB over Parquet."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg

from benchmarks.rollup.questions import COUNTS, DIGITS, PRICED, Question, Usage

NAMES = ("part", "key", *COUNTS, "hit_rates_sum", "cost_usd", "paid_usd", "full_cost")


def in_postgres(connection: psycopg.Connection[Any], question: Question) -> Callable[[], Usage]:
    """Return how to ask the ledger: planned for its own values, which are in the text."""
    asked = text_of(question, "ai_usage_log")
    return lambda: _answer(question, connection.execute(asked.encode()).fetchall())


def in_duckdb(engine: duckdb.DuckDBPyConnection, question: Question, file: Path) -> Callable[[], Usage]:
    """Return how to ask the Parquet file, on a connection whose time zone is UTC."""
    asked = text_of(question, f"read_parquet('{file}')")
    return lambda: _answer(question, engine.execute(asked).fetchall())


def text_of(question: Question, ledger: str) -> str:
    """Return a query that both understand."""
    starts = question.days.starts
    whose = f"AND log.organization_id = '{question.organization_id}'" if question.organization_id else ""
    prices = ", ".join(
        f"('{price.model}', '{price.inference_geo}', DATE '{price.from_day}', DATE '{price.to_day}', "
        f"{price.input}, {price.output})"
        for price in question.prices
    )
    return QUERY.format(
        ledger=ledger,
        zone=question.days.zone.key,
        begins=starts[0].isoformat(),
        ends=starts[-1].isoformat(),
        whose=whose,
        same_club=whose.replace("log.", "earlier."),
        prices=prices,
        priced=", ".join(f"'{outcome}'" for outcome in PRICED),
        keys=", ".join(question.keys),
        sets=", ".join(f"({key})" for key in question.keys),
        parts=" ".join(f"WHEN GROUPING({key}) = 0 THEN '{key}'" for key in question.keys),
        key=", ".join(f"CAST({key} AS text)" for key in question.keys),
        few=" OR ".join(f"part = '{key}' AND place > {top}" for key, top in question.tops.items()),
    )


def _answer(question: Question, rows: list[tuple[Any, ...]]) -> Usage:
    return question.answer(_sums(dict(zip(NAMES, row, strict=True))) for row in rows)


def _sums(row: dict[str, Any]) -> dict[str, Any]:
    """The exact difference of what was paid and the full price, which is in 1e-12 USD."""
    return {
        **row,
        **{name: int(row[name]) for name in COUNTS},
        "saved_usd": Decimal(int(row["full_cost"])).scaleb(-DIGITS) - row["paid_usd"],
    }


QUERY = """
WITH read AS (
    SELECT log.*, CAST(log.occurred_at AT TIME ZONE '{zone}' AS date) AS day,
        log.outcome <> 'adjustment' AS is_attempt,
        log.outcome <> 'adjustment' AND NOT EXISTS (
            SELECT 1 FROM {ledger} AS earlier
            WHERE earlier.call_id = log.call_id AND earlier.outcome <> 'adjustment' {same_club}
              AND (earlier.occurred_at < log.occurred_at
                OR earlier.occurred_at = log.occurred_at AND earlier.attempt_id < log.attempt_id)
        ) AS opens_call,
        coalesce(log.cost_usd, log.estimated_cost_usd) AS booked_usd,
        log.outcome IN ({priced}) AND log.cost_usd > 0 AS is_paid,
        (log.input_tokens + log.cache_read_tokens + log.cache_write_5m_tokens + log.cache_write_1h_tokens)
            * CAST(price.input AS bigint) + log.output_tokens * CAST(price.output AS bigint) AS full_cost
    FROM {ledger} AS log
    LEFT JOIN (VALUES {prices}) AS price (model, inference_geo, from_day, to_day, input, output)
        ON price.model = log.model AND price.inference_geo = log.inference_geo
        AND CAST(log.occurred_at AT TIME ZONE 'UTC' AS date) >= price.from_day
        AND CAST(log.occurred_at AT TIME ZONE 'UTC' AS date) < price.to_day
    WHERE log.occurred_at >= TIMESTAMPTZ '{begins}' AND log.occurred_at < TIMESTAMPTZ '{ends}' {whose}
), added AS (
    SELECT CASE {parts} ELSE 'all' END AS part, coalesce({key}, '') AS key,
        count(*) FILTER (WHERE opens_call) AS calls, count(*) FILTER (WHERE is_attempt) AS attempts,
        count(*) FILTER (WHERE NOT is_attempt) AS adjustments,
        sum(input_tokens) AS input_tokens, sum(cache_read_tokens) AS cache_read_tokens,
        sum(cache_write_5m_tokens) AS cache_write_5m_tokens,
        sum(cache_write_1h_tokens) AS cache_write_1h_tokens, sum(output_tokens) AS output_tokens,
        count(cache_hit_rate) AS hit_rates, coalesce(sum(cache_hit_rate), 0) AS hit_rates_sum,
        sum(booked_usd) AS cost_usd, coalesce(sum(cost_usd) FILTER (WHERE is_paid), 0) AS paid_usd,
        coalesce(sum(full_cost) FILTER (WHERE is_paid), 0) AS full_cost
    FROM read GROUP BY GROUPING SETS ((), {sets})
), placed AS (
    SELECT *, row_number() OVER (PARTITION BY part ORDER BY cost_usd DESC, key) AS place FROM added
)
SELECT part, key, calls, attempts, adjustments, input_tokens, cache_read_tokens, cache_write_5m_tokens,
    cache_write_1h_tokens, output_tokens, hit_rates, hit_rates_sum, cost_usd, paid_usd, full_cost
FROM placed WHERE NOT ({few})
"""
