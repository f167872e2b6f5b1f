"""The books of a run on an emulator, read from both sides and held against each other."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

from benchmarks.cost.rig import asked_of
from benchmarks.workers.proofs import asked_twice, book_differences, hold, prefix_writes, unanswered

FINAL = {"summarized", "skipped", "parked"}
PAGE = 5_000


def prove(url: str, base_url: str) -> int:
    """Hold all of a run that nobody has killed; gives how many prefixes were shared. Raises ProofFailed."""
    states = states_of(url)
    hold("insights that are in no final state", {name: n for name, n in states.items() if name not in FINAL})
    attempts = attempts_of(url)
    hold("insights asked twice", asked_twice(attempts))
    hold("insights with a summary that nobody has answered", unanswered(attempts, summarized_of(url)))
    hold("ledger and meter differ", book_differences(booked(url), asked_of(base_url, "meter")["rows"]))
    shared, again = prefix_writes(calls_of(base_url))
    hold("prefixes written again while warm", again)
    return shared


def states_of(url: str) -> dict[str, int]:
    """Count the insights by state."""
    with psycopg.connect(url) as connection:
        return dict(connection.execute("SELECT state, count(*) FROM insight GROUP BY state").fetchall())


def attempts_of(url: str) -> list[tuple[str, list[str]]]:
    """Give the outcome and the insights of each attempt."""
    with psycopg.connect(url) as connection:
        return connection.execute(ATTEMPTS).fetchall()


def summarized_of(url: str) -> list[str]:
    """Give the insights that have a summary, each as often as it has one."""
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT insight_id FROM summary")]


def booked(url: str) -> list[dict[str, Any]]:
    """Give the ledger's sums of what was billed, in the shape of the meter's rows."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute(BOOKED).fetchall()


def calls_of(base_url: str) -> list[dict[str, Any]]:
    """Give all requests that the emulator has had, in the order in which they came."""
    found: list[dict[str, Any]] = []
    while True:
        after = found[-1]["n"] if found else 0
        page = asked_of(base_url, f"calls?after={after}&limit={PAGE}")["calls"]
        if not page:
            return sorted(found, key=lambda call: call["at"])
        found += page


ATTEMPTS = """
    SELECT outcome, array_agg(insight_id ORDER BY insight_id)
    FROM ai_usage_log JOIN ai_usage_insight USING (attempt_id) GROUP BY attempt_id, outcome
"""
BOOKED = """
    SELECT model, service_tier, count(*) AS requests, sum(input_tokens) AS input_tokens,
        sum(cache_read_tokens) AS cache_read_tokens, sum(cache_write_5m_tokens) AS cache_write_5m_tokens,
        sum(cache_write_1h_tokens) AS cache_write_1h_tokens, sum(output_tokens) AS output_tokens,
        sum(cost_usd) AS cost_usd
    FROM ai_usage_log WHERE outcome <> 'rejected' GROUP BY model, service_tier
"""
