"""The baseline: lines of a file parsed and inserted, and nothing else.

No HTTP, no judging, no prices, no locks, and no look at what is there: what it does not find out by itself
stands before each line. It has its own SQL, of the same kind: one statement a table for each group.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg

AT_ONCE = 500  # as `tasks.collecting` has it: the bench compares the two


class Versions(NamedTuple):
    """What is the same in all rows."""

    prompt: str
    price: str
    tone: str


def insert_all(connection: psycopg.Connection[Any], file: Path, versions: Versions) -> int:
    """Insert what a file of results says; gives how many there were."""
    inserted = 0
    with file.open(encoding="utf-8") as lines:
        while group := list(islice(lines, AT_ONCE)):
            _insert(connection, group, versions)
            inserted += len(group)
    return inserted


def _insert(connection: psycopg.Connection[Any], lines: list[str], versions: Versions) -> None:
    parsed = list(_parsed(lines, versions, datetime.now(UTC).isoformat()))
    for statement, rows in zip((SUMMARIES, INSIGHTS, LEDGER), zip(*parsed, strict=True), strict=True):
        connection.execute(statement, {"rows": json.dumps(rows)})
    connection.commit()


def _parsed(lines: list[str], versions: Versions, now: str) -> Iterator[tuple[dict[str, Any], ...]]:
    """Give the rows of each line: its summary, its insight, its figures."""
    for line in lines:
        insight_id, cost_usd, hit_rate, text = line.split("\t", 3)
        item = json.loads(text)
        message = item["result"]["message"]
        answer = json.loads(message["content"][0]["text"])
        usage = message["usage"]
        summary = {
            "id": str(uuid4()),
            "insight_id": insight_id,
            "attempt_id": item["custom_id"],
            "prompt_version": versions.prompt,
            "model": message["model"],
            "tone": versions.tone,
            "category": answer["category"],
            "category_confidence": answer["category_confidence"],
            "confidence": answer["confidence"],
            "reason": answer["reason"],
            "flags": answer["flags"],
            "text": answer["summary"],
            "created_at": now,
        }
        figures = {
            "attempt_id": item["custom_id"],
            "model": message["model"],
            "service_tier": usage["service_tier"],
            "inference_geo": usage.get("inference_geo"),
            "input_tokens": usage["input_tokens"],
            "cache_read_tokens": usage["cache_read_input_tokens"],
            "cache_write_5m_tokens": usage["cache_creation"]["ephemeral_5m_input_tokens"],
            "cache_write_1h_tokens": usage["cache_creation"]["ephemeral_1h_input_tokens"],
            "output_tokens": usage["output_tokens"],
            "thinking_tokens": 0,  # it is off
            "cost_usd": cost_usd,
            "price_version": versions.price,
            "cache_hit_rate": hit_rate,
            "request_id": message["id"],
            "recorded_at": now,
        }
        yield summary, {"insight_id": insight_id}, figures


SUMMARIES = """
    WITH event AS (
        INSERT INTO summary_event (summary_id, at, actor, event, to_state)
        SELECT id, created_at, 'rules', 'created', 'pending_review'
        FROM jsonb_to_recordset(%(rows)s::jsonb) AS made (id text, created_at timestamptz)
    )
    INSERT INTO summary (id, insight_id, organization_id, coach_id, player_id, attempt_id, prompt_version,
        model, tone, category, model_category, category_confidence, confidence, reason, flags, text, state,
        rehearsal, created_at, decision, tier, decision_reasons, evidence)
    SELECT made.id, insight.id, insight.organization_id, insight.coach_id, insight.player_id, made.attempt_id,
        made.prompt_version, made.model, made.tone, made.category, made.category, made.category_confidence,
        made.confidence, made.reason, made.flags, made.text, 'pending_review', true, made.created_at,
        'review', 'manual_review', '{}', '{}'
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS made (id text, insight_id text, attempt_id text,
        prompt_version text, model text, tone text, category text, category_confidence numeric,
        confidence numeric, reason text, flags text[], text text, created_at timestamptz)
    JOIN insight ON insight.id = made.insight_id
"""
INSIGHTS = """
    UPDATE insight SET state = 'summarized'
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS made (insight_id text) WHERE insight.id = made.insight_id
"""
LEDGER = """
    UPDATE ai_usage_log SET outcome = 'succeeded', model = settled.model, service_tier = settled.service_tier,
        inference_geo = settled.inference_geo, input_tokens = settled.input_tokens,
        cache_read_tokens = settled.cache_read_tokens, cache_write_5m_tokens = settled.cache_write_5m_tokens,
        cache_write_1h_tokens = settled.cache_write_1h_tokens, output_tokens = settled.output_tokens,
        thinking_tokens = settled.thinking_tokens, cost_usd = settled.cost_usd,
        price_version = settled.price_version, cache_hit_rate = settled.cache_hit_rate,
        request_id = settled.request_id, recorded_at = settled.recorded_at
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS settled (attempt_id text, model text, service_tier text,
        inference_geo text, input_tokens int, cache_read_tokens int, cache_write_5m_tokens int,
        cache_write_1h_tokens int, output_tokens int, thinking_tokens int, cost_usd numeric,
        price_version text, cache_hit_rate numeric, request_id text, recorded_at timestamptz)
    WHERE ai_usage_log.attempt_id = settled.attempt_id
"""
