"""Claims on a real server: many workers, no insight twice, no long scan."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from core.categories import SENSITIVE_WORDS
from database.engine import connect
from models.ai_usage_log import QUERIES as LEDGER
from models.ai_usage_log import TOKEN_CLASSES
from models.insight import QUERIES

NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Any:
    engine = connect(database_url)
    yield engine
    engine.dispose()


def fill(engine: sa.Engine, insights: int, *, state: str = "pending", seed: int = 7) -> None:
    """Make a club with a tenth as many players as insights, each insight at its own minute."""
    print(f"seed {seed}")
    with engine.begin() as connection:
        for statement in (
            "INSERT INTO organization (id, name, timezone) VALUES ('o', 'Club', 'UTC')",
            "INSERT INTO coach (id, auth_id, organization_id, name, tone, summaries_enabled, skip_sensitive,"
            " approvals, suppressions) VALUES ('c', 'c', 'o', 'Coach', 'warm', true, false, 0, 0)",
        ):
            connection.execute(sa.text(statement))
        connection.execute(
            sa.text(
                "INSERT INTO player (id, organization_id, first_name, sport)"
                " SELECT 'p' || n, 'o', 'Name' || n, 'soccer' FROM generate_series(0, :n) AS n"
            ),
            {"n": insights // 10},
        )
        minutes = random.Random(seed).sample(range(insights), insights)
        connection.execute(
            sa.text(
                "INSERT INTO insight (id, organization_id, coach_id, player_id, title, description, urgent,"
                " created_at, state) VALUES (:id, 'o', 'c', :player, 't', 'd', false, :at, :state)"
            ),
            [
                {
                    "id": f"i{n}",
                    "player": f"p{n % (insights // 10)}",
                    "at": NOW - timedelta(minutes=m),
                    "state": state,
                }
                for n, m in enumerate(minutes)
            ],
        )


def claim(engine: sa.Engine, run_id: str, limit: int, now: datetime = NOW, **changed: Any) -> list[str]:
    asked = PARAMETERS | {
        "now": now,
        "insight_limit": limit,
        "holder": run_id,
        "lease_until": now + timedelta(seconds=600),
    }
    with engine.begin() as connection:
        return [row.id for row in connection.execute(QUERIES["claim"], asked | changed)]


def test_many_workers_claim_everything_once(engine: sa.Engine) -> None:
    fill(engine, 2_000)

    def work(worker: int) -> list[str]:
        mine: list[str] = []
        while part := claim(engine, f"run{worker}", 50):
            mine += part
        return mine

    with ThreadPoolExecutor(4) as pool:
        claimed = [one for mine in pool.map(work, range(4)) for one in mine]
    assert len(claimed) == len(set(claimed)) == 2_000


def test_a_deferred_insight_is_claimed_when_it_is_due(engine: sa.Engine) -> None:
    fill(engine, 10)
    with engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE insight SET state = 'deferred', state_reason = 'outage', not_before = :at"),
            {"at": NOW + timedelta(minutes=5)},
        )
    assert claim(engine, "run", 10) == []
    assert len(claim(engine, "run", 10, NOW + timedelta(minutes=5))) == 10


def test_a_claim_is_held_only_by_its_run(engine: sa.Engine) -> None:
    fill(engine, 10)
    (insight,) = claim(engine, "mine", 1)
    others = ["i0" if insight != "i0" else "i1"]  # not claimed by anybody
    later = {"insight_ids": [insight, *others], "lease_until": NOW + timedelta(hours=1)}
    with engine.begin() as connection:
        assert connection.execute(QUERIES["hold"], later | {"holder": "theirs"}).all() == []
        assert connection.execute(QUERIES["hold"], later | {"holder": "mine"}).one() == (insight, "c")
        connection.execute(QUERIES["release_ended"], {"now": NOW + timedelta(minutes=11)})
        kept = connection.execute(sa.text("SELECT claimed_by FROM insight WHERE id = :i"), {"i": insight})
        assert kept.scalar_one() == "mine", "holding has prolonged the lease"


PARAMETERS: dict[str, Any] = {
    "now": NOW,
    "organization_id": None,
    "player_ids": None,
    "page_player_ids": ["p1", "p2"],
    "page_coach_ids": ["c"],
    "sport": "soccer",
    "tone": "warm",
    "since": NOW - timedelta(hours=1),
    "insight_limit": 100,
    "holder": "run",
    "lease_until": NOW,
    "insight_id": "i5",
    "state": "summarized",
    "state_reason": None,
    "not_before": None,
    "sensitive_words": list(SENSITIVE_WORDS),
    "lane": "live",
    "clubs": json.dumps([{"organization_id": "o", "lane": "live", "live_before": NOW.isoformat()}]),
    "after": "i5",
    "row_limit": 10,
    "insight_ids": ["i1", "i2"],
    "rehearsal": True,
    "earlier_summaries_max": 3,
}


RUN_QUERIES = (
    "longest_waiting",
    "survey",
    "arrivals",
    "due",
    "claim",
    "claim_rest",
    "for_prompt",
    "release_ended",
    "hold",
    "finish",
    "give_back",
    "switch_off",
    "switch_back",
    "requeue",
    "states_of",
)


def test_the_queries_of_a_run_read_no_insight_that_is_long_done(engine: sa.Engine) -> None:
    """20,000 summarized insights and 10 pending ones: no query scans the table."""
    fill(engine, 20_000, state="summarized")
    scans = {}
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE insight SET state = 'pending' WHERE id LIKE 'i10_'"))
        connection.execute(sa.text("ANALYZE insight"))
        for name in RUN_QUERIES:
            query = QUERIES[name]
            needed = {key: PARAMETERS[key] for key in query.compile().params}
            plan = "\n".join(row[0] for row in connection.execute(sa.text(f"EXPLAIN {query.text}"), needed))
            if "Seq Scan on insight" in plan:
                scans[name] = plan
    assert scans == {}


def test_the_queries_of_a_run_read_no_attempt_that_is_long_settled(engine: sa.Engine) -> None:
    """20,000 settled attempts: neither settling one nor giving claims back scans the ledger."""
    fill(engine, 1_000)
    with engine.begin() as connection:
        connection.execute(sa.text(SETTLED_ATTEMPTS), {"at": NOW})
        connection.execute(
            sa.text("INSERT INTO ai_usage_insight SELECT attempt_id, call_id FROM ai_usage_log")
        )
        connection.execute(sa.text("ANALYZE"))
        queries = {**QUERIES, **LEDGER}
        scans = {}
        for name in ("settle", "release_ended", "give_back"):
            query = queries[name]
            needed = {key: PARAMETERS.get(key, LEDGER_ROW.get(key)) for key in query.compile().params}
            plan = "\n".join(row[0] for row in connection.execute(sa.text(f"EXPLAIN {query.text}"), needed))
            if "Seq Scan on ai_usage" in plan:
                scans[name] = plan
    assert scans == {}


def test_what_a_prompt_needs_is_read_without_a_look_at_other_players_summaries(engine: sa.Engine) -> None:
    """20,000 approved summaries of 100 players: the newest of one player are found by index."""
    fill(engine, 1_000, state="summarized")
    with engine.begin() as connection:
        connection.execute(sa.text(SETTLED_ATTEMPTS), {"at": NOW})
        connection.execute(sa.text(SUMMARIES), {"at": NOW})
        for event in EVENTS:
            connection.execute(sa.text(event), {"at": NOW})
        connection.execute(sa.text("UPDATE summary SET state = 'approved'"))
        connection.execute(sa.text("ANALYZE"))
        query = QUERIES["for_prompt"]
        needed = {key: PARAMETERS[key] for key in query.compile().params}
        plan = "\n".join(row[0] for row in connection.execute(sa.text(f"EXPLAIN {query.text}"), needed))
        (first, _) = connection.execute(query, needed).all()
    assert "Seq Scan on summary" not in plan
    assert len(first.earlier_summaries) == 3


EVENTS = (
    "INSERT INTO summary_event (summary_id, at, actor, event, to_state)"
    " SELECT id, :at, 'rules', 'created', 'pending_review' FROM summary",
    "INSERT INTO summary_event (summary_id, at, actor, event, from_state, to_state)"
    " SELECT id, :at, 'c', 'approve', 'pending_review', 'approved' FROM summary",
)
SUMMARIES = """
INSERT INTO summary (id, insight_id, organization_id, coach_id, player_id, attempt_id, prompt_version, model,
    tone, category, model_category, category_confidence, confidence, reason, flags, text, state, rehearsal,
    created_at, decision, tier, decision_reasons, evidence)
SELECT 's' || n, 'i' || n % 1000, 'o', 'c', 'p' || n % 100, 'a' || n, 'v' || n, 'm', 'warm', 'normal',
    'normal', 0.9, 0.9, '', '{}', 'Text ' || n, 'pending_review', true, :at, 'review', 'manual_review', '{}',
    '{}'
FROM generate_series(1, 20000) AS n
"""
SETTLED_ATTEMPTS = """
INSERT INTO ai_usage_log (attempt_id, call_id, occurred_at, recorded_at, organization_id, coach_id, player_id,
    operation, model, lane, service_tier, input_tokens, cache_read_tokens, cache_write_5m_tokens,
    cache_write_1h_tokens, output_tokens, thinking_tokens, cost_usd, estimated_cost_usd, price_version,
    outcome, prompt_version, flow_run_id)
SELECT 'a' || n, 'i' || n % 1000, :at, :at, 'o', 'c', 'p1', 'parent_summary', 'm', 'live', 'standard',
    1, 1, 1, 1, 1, 0, 1, 1, 'test', 'succeeded', 'test', 'run' || n % 100
FROM generate_series(1, 20000) AS n
"""
LEDGER_ROW: dict[str, Any] = {"attempt_id": "a5", "outcome": "succeeded", "recorded_at": NOW, "model": "m"}
LEDGER_ROW |= {"service_tier": "standard"} | dict.fromkeys(TOKEN_CLASSES, 1) | {"thinking_tokens": 0}
