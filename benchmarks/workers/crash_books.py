"""What the books say of a crash: what was claimed and in flight at that moment, and what became of it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg

from benchmarks.cost.rig import asked_of
from benchmarks.workers.books import attempts_of, states_of, summarized_of
from benchmarks.workers.proofs import asked_again, asked_twice, hold, unanswered

FINAL = {"summarized", "skipped", "parked"}


@dataclass(frozen=True, slots=True)
class Moment:
    """How things stood right after the kill."""

    at: datetime
    claimed: frozenset[str]
    leases_end: datetime
    answered: frozenset[str]  # insights that have their summary
    attempts: frozenset[str]
    in_flight: frozenset[str]  # of them


def moment_of(url: str) -> Moment:
    """Read how things stand now."""
    with psycopg.connect(url) as connection:
        claimed = connection.execute("SELECT id, lease_until FROM insight WHERE state = 'claimed'").fetchall()
        attempts = connection.execute("SELECT attempt_id, outcome FROM ai_usage_log").fetchall()
    now = datetime.now(UTC)
    return Moment(
        at=now,
        claimed=frozenset(row[0] for row in claimed),
        leases_end=max((row[1] for row in claimed), default=now),
        answered=frozenset(summarized_of(url)),
        attempts=frozenset(row[0] for row in attempts),
        in_flight=frozenset(row[0] for row in attempts if row[1] == "sent"),
    )


def reclaimed_after(url: str, before: Moment, killed_at: datetime, run_id: str) -> tuple[float, float] | None:
    """Give the seconds from the kill until others first and last asked about what the killed run held."""
    with psycopg.connect(url) as connection:
        asked = {"insights": list(before.claimed), "run_id": run_id}
        first, last = connection.execute(ASKED_AGAIN, asked).fetchone() or (None, None)
    if first is None:
        return None
    return round((first - killed_at).total_seconds(), 1), round((last - killed_at).total_seconds(), 1)


def books_after(url: str, base_url: str, before: Moment) -> dict[str, Any]:
    """Hold the books after everything is done; gives what the crash has cost. Raises ProofFailed."""
    attempts = attempts_of(url)
    hold("insights that are in no final state", {n for n in states_of(url) if n not in FINAL})
    hold("insights answered twice", asked_twice(attempts))
    hold("insights with a summary that nobody has answered", unanswered(attempts, summarized_of(url)))
    with psycopg.connect(url) as connection:
        later = [row[0] for row in connection.execute(LATER, {"before": list(before.attempts)})]
        outcomes = {row[0]: row[1:] for row in connection.execute(OUTCOMES)}
    hold("insights asked again that had their answer", asked_again(before.answered, later))
    meter = asked_of(base_url, "meter")
    settled = sum((row[1] for name, row in outcomes.items() if name != "lost"), Decimal(0))
    lost, lost_usd = outcomes.get("lost", (0, Decimal(0)))
    billed_usd = Decimal(meter["cost_usd"])
    requests = sum(row[0] for row in outcomes.values())
    hold("attempts left as sent", outcomes.get("sent"))
    hold("the meter has billed what no row stands for", max(0, meter["requests"] - requests))
    hold("settled rows cost more than was billed", settled > billed_usd)
    return {
        "states": states_of(url),
        "at_the_kill": {
            "answered": len(before.answered),
            "claimed": len(before.claimed),
            "calls_in_flight": len(before.in_flight),
        },
        "lost_attempts": lost,
        "lost_usd": str(lost_usd),
        "ledger_usd": str(settled + lost_usd),
        "meter_usd": str(billed_usd),
        "ledger_requests": requests,
        "meter_requests": meter["requests"],
    }


ASKED_AGAIN = """
    SELECT min(occurred_at), max(occurred_at) FROM ai_usage_log JOIN ai_usage_insight USING (attempt_id)
    WHERE insight_id = ANY(%(insights)s) AND flow_run_id <> %(run_id)s
"""
LATER = """
    SELECT DISTINCT insight_id FROM ai_usage_insight WHERE NOT attempt_id = ANY(%(before)s)
"""
OUTCOMES = """
    SELECT outcome, count(*), sum(coalesce(cost_usd, estimated_cost_usd)) FROM ai_usage_log
    WHERE outcome <> 'rejected' GROUP BY outcome
"""
