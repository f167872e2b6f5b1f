"""What a database holds after a run, reduced to what can be compared: equal books, equal rows."""

from dataclasses import dataclass
from decimal import Decimal

import psycopg


@dataclass(frozen=True, slots=True)
class Books:
    """Sums and digests of all rows, without what differs in every run: random ids and times of writing.

    Nor with what screen and rules make of an answer (category, decision), which plain inserting does not.
    """

    summaries: int
    summaries_digest: str
    attempts: int
    ledger_digest: str
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    summarized: int


def books_of(url: str) -> Books:
    """Read the books of a database."""
    with psycopg.connect(url) as connection:
        found = connection.execute(BOOKS).fetchone()
    assert found is not None
    return Books(*found)


BOOKS = """
    SELECT * FROM (
        SELECT count(*), md5(string_agg(md5(row (insight_id, organization_id, coach_id, player_id, attempt_id,
            prompt_version, model, tone, model_category, category_confidence, confidence, reason,
            flags, text, state, rehearsal)::text), '' ORDER BY insight_id))
        FROM summary
    ) AS summaries, (
        SELECT count(*), md5(string_agg(md5(row (attempt_id, organization_id, coach_id, player_id, model,
            lane, service_tier, inference_geo, input_tokens, cache_read_tokens, cache_write_5m_tokens,
            cache_write_1h_tokens, output_tokens, thinking_tokens, cost_usd, price_version, cache_hit_rate,
            latency_ms, outcome, outcome_reason, request_id, prompt_version)::text), '' ORDER BY attempt_id)),
            sum(input_tokens), sum(output_tokens), sum(cost_usd)
        FROM ai_usage_log
    ) AS ledger, (
        SELECT count(*) FROM insight
        WHERE state = 'summarized' AND state_reason IS NULL AND not_before IS NULL AND NOT missed_due
            AND unusable_answers = 0
    ) AS insights
"""
