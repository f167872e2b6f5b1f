"""What is asked about batches, among many that are long collected: no long scan."""

import json
from typing import Any

import sqlalchemy as sa

from core.states import InsightState
from models.ai_usage_log import QUERIES as LEDGER
from models.ai_usage_log import TOKEN_CLASSES
from models.insight import QUERIES as INSIGHT
from models.message_batch import QUERIES as BATCH
from models.summary import QUERIES as SUMMARY
from tasks.ledger import Conclusion
from tests.integration.stored_rows import AT, Rows

GROUP = 20  # items of a batch, results settled at once; of 20,000
TABLES = {"insight", "ai_usage_log", "ai_usage_insight", "batch_item", "message_batch", "summary"}
MAY_SCAN = {"calls_of": {"message_batch"}}  # beside their items batches are few
ATTEMPTS = [f"a{n}" for n in range(GROUP)]
INSIGHTS = [f"i{n}" for n in range(GROUP)]
SETTLEMENT = {
    **dict.fromkeys(TOKEN_CLASSES, 1),
    "outcome": "succeeded",
    "model": "m",
    "service_tier": "batch",
    "thinking_tokens": 0,
    "cost_usd": "1",
    "price_version": "v",
    "recorded_at": AT.isoformat(),
}
PARAMETERS: dict[str, Any] = {
    "account": "account",
    "after_at": AT,
    "after_id": "b50",
    "attempt_id": "a77",
    "attempt_ids": ATTEMPTS,
    "batch_id": "b0",
    "batch_ids": ["b0"],
    "but_player_ids": ["p1"],
    "clubs": json.dumps([{"organization_id": "club", "lane": "overnight", "live_before": AT.isoformat()}]),
    "collector": "run",
    "collector_until": AT,
    "conclusions": json.dumps([Conclusion(InsightState.PENDING).row(one) for one in INSIGHTS]),
    "due_max": 1,
    "due_min": 1,
    "ended_at": AT,
    "holder": "run",
    "id": "b77",
    "insight_ids": INSIGHTS,
    "lane": "overnight",
    "missed_due": False,
    "not_before": None,
    "now": AT,
    "opened_at": AT,
    "organization_id": None,
    "outcome": "lost",
    "outcome_reason": "result_missing",
    "player_ids": None,
    "actor": "rules",
    "row_limit": 20,
    "run_ids": ["run-0"],
    "sensitive_words": ["injury"],
    "settlements": json.dumps([{"attempt_id": one} | SETTLEMENT for one in ATTEMPTS]),
    "sport": "soccer",
    "state": "collected",
    "state_reason": "result_missing",
    "summaries": json.dumps([{"id": f"s{one}", "insight_id": one, "attempt_id": "a1"} for one in INSIGHTS]),
    "tone": "warm",
    "unusable": 1,
    "vendor_id": "vendor-new",
    "vendor_ids": ["vendor-1", "vendor-2"],
}
ASKED = (
    (LEDGER, ("settle_many",)),
    (SUMMARY, ("store",)),
    (INSIGHT, ("player_waiting", "put_in_batch", "take_out_of_batch", "give_back_some")),
    (
        BATCH,
        ("unfinished", "whole", "any_canceled", "lease", "opened", "closed", "end_unsettled", "to_settle"),
    ),
    (BATCH, ("insights_to_settle", "owner_of", "vendor_ids", "usual_seconds", "of_runs", "calls_of")),
    (BATCH, ("insights_of", "outcomes", "show", "place", "list", "need_attention")),
)


def fill(rows: Rows) -> None:
    """1,000 batches of 20 items each, two of them open, and 100 insights that wait for a run."""
    with rows.engine.begin() as connection:
        for statement in (PROMPT, PLAYERS, BATCHES, SETTLED, ITEMS, LINKS, INSIGHTS_DONE):
            connection.execute(sa.text(statement), {"at": AT})
    with rows.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))


def test_nothing_that_is_asked_about_batches_reads_what_is_long_done(rows: Rows) -> None:
    fill(rows)
    scans, asked = {}, 0
    with rows.engine.begin() as connection:
        for queries, names in ASKED:
            for name in names:
                query, asked = queries[name], asked + 1
                needed = {key: PARAMETERS[key] for key in query.compile().params}
                explained = connection.execute(sa.text(f"EXPLAIN {query.text}"), needed)
                plan = "\n".join(row[0] for row in explained)
                if any(f"Seq Scan on {table}" in plan for table in TABLES - MAY_SCAN.get(name, set())):
                    scans[name] = plan
    assert scans == {}
    assert asked == 26


PROMPT = """
INSERT INTO prompt (version, sport, tone, format, instructions, sport_sheet, tone_text, answer_schema,
    first_used_at)
VALUES ('v1', 'soccer', 'warm', '1', 'i', 's', 't', '{}', :at)
"""
PLAYERS = """
INSERT INTO player (id, organization_id, first_name, sport)
SELECT 'p' || n, 'club', 'Name' || n, 'soccer' FROM generate_series(0, 1999) AS n
"""
BATCHES = """
INSERT INTO message_batch (batch_id, vendor_id, run_id, account, model, kind, stage, state, requests,
    prefixes, created_at, sent_until, due_at, opened_at, ended_at)
SELECT 'b' || n, 'vendor-' || n, 'run-' || n / 2, 'account', 'm', 'main', 0,
    CASE WHEN n < 2 THEN 'open' ELSE 'collected' END, 20, '{}', moment, moment, moment, moment, moment
FROM (SELECT n, :at - n * interval '1 hour' AS moment FROM generate_series(0, 999) AS n) AS numbered
"""
SETTLED = """
INSERT INTO ai_usage_log (attempt_id, call_id, occurred_at, recorded_at, organization_id, coach_id, player_id,
    operation, model, lane, service_tier, input_tokens, cache_read_tokens, cache_write_5m_tokens,
    cache_write_1h_tokens, output_tokens, thinking_tokens, cost_usd, estimated_cost_usd, price_version,
    outcome, prompt_version, flow_run_id, batch_id)
SELECT 'a' || n, 'a' || n, :at, :at, 'club', 'coach-club', 'p' || n % 2000, 'parent_summary', 'm',
    'overnight', 'batch', 1, 1, 1, 1, 1, 0, CASE WHEN n < 20 THEN NULL ELSE 1 END, 1, 'test',
    CASE WHEN n < 20 THEN 'sent' ELSE 'succeeded' END, 'v1', 'run-' || n / 40, 'b' || n / 20
FROM generate_series(0, 19999) AS n
"""
ITEMS = """
INSERT INTO batch_item (attempt_id, batch_id, insight_ids, packed, prefix_key, marked, front_tokens,
    predicted_input_tokens, predicted_read_tokens, predicted_write_tokens, predicted_output_tokens)
SELECT 'a' || n, 'b' || n / 20, ARRAY['i' || n], false, 'key', 3, 1, 1, 1, 1, 1
FROM generate_series(0, 19999) AS n
"""
LINKS = "INSERT INTO ai_usage_insight SELECT attempt_id, insight_ids[1] FROM batch_item"
INSIGHTS_DONE = """
INSERT INTO insight (id, organization_id, coach_id, player_id, title, description, urgent, created_at, state)
SELECT 'i' || n, 'club', 'coach-club', 'p' || n % 2000, 't', repeat('d', 400), false,
    :at - n * interval '1 minute',
    CASE WHEN n < 20 THEN 'in_batch' WHEN n < 120 THEN 'pending' ELSE 'summarized' END
FROM generate_series(0, 19999) AS n
"""
