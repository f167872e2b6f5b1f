"""Rows put straight into the tables, with what a test does not care about filled in."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import sqlalchemy as sa

from models import tables

INPUT_CLASSES = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
WAYS = {  # by which events a summary that waits for review comes to a state
    "approved": (("approve", "approved"),),
    "suppressed": (("suppress", "suppressed"),),
    "delivered": (("approve", "approved"), ("deliver", "delivered")),
    "viewed": (("approve", "approved"), ("deliver", "delivered"), ("view", "viewed")),
}
TOKENS = (*INPUT_CLASSES, "output_tokens")
AT = datetime(2026, 3, 2, 19, 0, tzinfo=UTC)
LONG_AFTER = AT + timedelta(hours=2)  # the revocation window is over


class Rows:
    """Writes rows; every id is new unless it is given."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self._numbers = count(1)

    def insert(self, table: type[Any], *rows: dict[str, Any]) -> None:
        """Insert rows in one statement and commit."""
        with self.engine.begin() as connection:
            connection.execute(sa.insert(table), list(rows))

    def club(self, organization_id: str = "club", timezone: str = "UTC") -> None:
        """A club with one coach (`coach-<club>`) and one player (`player-<club>`)."""
        self.insert(tables.Organization, {"id": organization_id, "name": "A Club", "timezone": timezone})
        self.coach(f"coach-{organization_id}", organization_id)
        self.insert(
            tables.Player,
            {
                "id": f"player-{organization_id}",
                "organization_id": organization_id,
                "first_name": "Aoife",
                "sport": "soccer",
            },
        )

    def coach(self, coach_id: str, organization_id: str, name: str = "A Coach") -> None:
        """One more coach."""
        self.insert(
            tables.Coach,
            {"id": coach_id, "auth_id": coach_id, "organization_id": organization_id, "name": name},
        )

    def insight(self, organization_id: str = "club", **values: Any) -> str:
        """An insight, pending unless said otherwise; gives its id."""
        row = {
            "id": f"insight-{next(self._numbers):04}",
            "organization_id": organization_id,
            "coach_id": f"coach-{organization_id}",
            "player_id": f"player-{organization_id}",
            "title": "Left foot",
            "description": "Hesitates when closed down.",
            "created_at": AT,
            **values,
        }
        self.insert(tables.Insight, row)
        return str(row["id"])

    def attempt(self, organization_id: str = "club", *, insights: tuple[str, ...] = (), **values: Any) -> str:
        """A ledger row with its insights; gives its id."""
        row = ledger_row(next(self._numbers), organization_id, **values)
        self.insert(tables.AiUsageLog, row)
        if insights:
            made_for = [{"attempt_id": row["attempt_id"], "insight_id": insight} for insight in insights]
            self.insert(tables.AiUsageInsight, *made_for)
        return str(row["attempt_id"])

    def batch(self, *insight_ids: tuple[str, ...], items: dict[str, Any] | None = None, **values: Any) -> str:
        """A main batch, sent unless said otherwise, with an item for each of these; gives its id.

        `items` are values of the ledger rows of its items, which are in flight unless said otherwise.
        """
        row = {
            "batch_id": f"batch-{next(self._numbers):04}",
            "run_id": "run",
            "account": "account",
            "model": "claude-haiku-5-5",
            "kind": "main",
            "stage": 0,
            "state": "sent",
            "requests": len(insight_ids),
            "prefixes": {"root": [1_800, None]},
            "created_at": AT,
            "sent_until": AT,
            "due_at": AT,
            **values,
        }
        self.insert(tables.MessageBatch, row)
        in_flight = {"outcome": "sent", "cost_usd": None, "lane": "overnight", "service_tier": "batch"}
        for insights in insight_ids:
            attempt = in_flight | {"batch_id": row["batch_id"]} | (items or {})
            attempt_id = self.attempt(insights=insights, **attempt)
            item = {
                "attempt_id": attempt_id,
                "batch_id": row["batch_id"],
                "insight_ids": list(insights),
                "packed": len(insights) > 1,
                "prefix_key": "root",
                "marked": 0,
                "front_tokens": 1_900,
                "predicted_input_tokens": 1_950,
                "predicted_read_tokens": 0,
                "predicted_write_tokens": 0,
                "predicted_output_tokens": 140 * len(insights),
            }
            self.insert(tables.BatchItem, item)
        return str(row["batch_id"])

    def summary(self, organization_id: str = "club", *, state: str = "pending_review", **values: Any) -> str:
        """A summary in any state, with an insight and an attempt of its own; gives its id.

        It comes to its state as all do, by events; what is sent out is no rehearsal.
        """
        insight_id = self.insight(organization_id, state="summarized")
        by_rule = state == "auto_approved"
        row = {
            "id": f"summary-{next(self._numbers):04}",
            "insight_id": insight_id,
            "organization_id": organization_id,
            "coach_id": f"coach-{organization_id}",
            "player_id": f"player-{organization_id}",
            "attempt_id": self.attempt(organization_id, insights=(insight_id,)),
            "prompt_version": "v1",
            "model": "claude-haiku-5-5",
            "tone": "warm",
            "category": "normal",
            "model_category": "normal",
            "category_confidence": Decimal("0.95"),
            "confidence": Decimal("0.85"),
            "reason": "",
            "flags": [],
            "text": "Aoife is working on her left foot.",
            "state": "auto_approved" if by_rule else "pending_review",
            "rehearsal": not WAYS.get(state, ())[1:],
            "created_at": AT,
            "decision": "approve" if by_rule else "review",
            "tier": "auto_send" if by_rule else "manual_review",
            "decision_reasons": ["confidence_enough" if by_rule else "level_below_2"],
            "evidence": {"threshold": "0.70"},
            "revocable_until": AT + timedelta(hours=1) if by_rule else None,
            **values,
        }
        summary_id, before = str(row["id"]), str(row["state"])
        with self.engine.begin() as connection:
            connection.execute(sa.insert(tables.Summary), row)
            connection.execute(sa.insert(tables.SummaryEventRow), _event(summary_id, "created", None, before))
        for event, after in WAYS.get(state, ()):
            self.event(summary_id, event, before, after)
            before = after
        return summary_id

    def event(self, summary_id: str, event: str, before: str, after: str, at: datetime = LONG_AFTER) -> None:
        """Note an event, and let the summary be where it leads."""
        with self.engine.begin() as connection:
            moving = sa.update(tables.Summary).where(sa.column("id") == summary_id).values(state=after)
            connection.execute(moving)
            noted = _event(summary_id, event, before, after) | {"at": at}
            connection.execute(sa.insert(tables.SummaryEventRow), noted)


def _event(summary_id: str, event: str, before: str | None, after: str) -> dict[str, Any]:
    moved = {"event": event, "from_state": before, "to_state": after}
    return {"summary_id": summary_id, "at": AT, "actor": "test", "ticks": []} | moved


def ledger_row(number: int, organization_id: str = "club", **values: Any) -> dict[str, Any]:
    """A settled attempt of a call of its own."""
    return {
        "attempt_id": f"attempt-{number:06}",
        "call_id": f"call-{number:06}",
        "occurred_at": AT,
        "recorded_at": AT,
        "organization_id": organization_id,
        "coach_id": f"coach-{organization_id}",
        "player_id": f"player-{organization_id}",
        "operation": "parent_summary",
        "model": "claude-haiku-5-5",
        "lane": "live",
        "service_tier": "standard",
        "inference_geo": None,
        "input_tokens": 100,
        "cache_read_tokens": 4000,
        "cache_write_5m_tokens": 0,
        "cache_write_1h_tokens": 0,
        "output_tokens": 140,
        "cost_usd": Decimal("0.00012"),
        "estimated_cost_usd": Decimal("0.0005"),
        "price_version": "test",
        "cache_hit_rate": Decimal("0.975610"),
        "outcome": "succeeded",
        "prompt_version": "v1",
        "flow_run_id": "run",
        **values,
    }


def many_ledger_rows(engine: sa.Engine, rows: int) -> None:
    """Fill the ledger: 400 days, 40 clubs of which the first has a fifth of it, 1 row in 200 lost.

    Every day is marked. The triggers and all but one index are put aside meanwhile: a million rows take
    15 seconds then.
    """
    with engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        connection.execute(sa.text("SET LOCAL maintenance_work_mem = '256MB'"))
        indexes = connection.execute(
            sa.text(
                "SELECT indexname, indexdef FROM pg_indexes"
                " WHERE tablename = 'ai_usage_log' AND indexname LIKE 'ix\\_%'"
            )
        ).all()
        for index in indexes:
            connection.execute(sa.text(f"DROP INDEX {index.indexname}"))
        connection.execute(sa.text(MANY_ROWS), {"rows": rows})
        connection.execute(sa.text(MARK_ALL_DAYS))
        for index in indexes:
            connection.execute(sa.text(index.indexdef))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))


MANY_ROWS = """
INSERT INTO ai_usage_log (attempt_id, call_id, occurred_at, recorded_at, organization_id, coach_id, player_id,
    operation, model, lane, service_tier, input_tokens, cache_read_tokens, cache_write_5m_tokens,
    cache_write_1h_tokens, output_tokens, thinking_tokens, cost_usd, estimated_cost_usd, price_version,
    cache_hit_rate, outcome, prompt_version, flow_run_id)
SELECT 'many-' || n, 'many-' || call, moment, moment,
    CASE WHEN call % 5 = 0 THEN 'club' ELSE 'club-' || call % 39 END, 'coach-' || call % 200,
    'player-' || call % 6000, 'parent_summary', 'claude-haiku-5-5', 'live', 'standard', 100, 4000, 0, 0, 140,
    0, 0.00012, 0.0005, 'test', 0.97561, CASE WHEN n % 200 = 0 THEN 'lost' ELSE 'succeeded' END, 'v1',
    'run-' || n / 1000
FROM (
    SELECT n, n / 10 * 10 + n % 5 AS call,
        CAST('2025-10-01T00:00:00Z' AS timestamptz)
            + n * (interval '400 days' / CAST(:rows AS integer)) AS moment
    FROM generate_series(1, CAST(:rows AS integer)) AS n
) AS numbered
"""
MARK_ALL_DAYS = """
INSERT INTO rollup_dirty_day (subject, utc_day, writer, marks)
SELECT 'usage', CAST(CAST('2025-10-01' AS date) + n AS date), 0, 1 FROM generate_series(0, 400) AS n
ON CONFLICT DO NOTHING
"""


class Plans:
    """Explains every query on the ledger that the engine makes, right before it is made."""

    def __init__(self, engine: sa.Engine) -> None:
        self.plans: list[str] = []
        self._engine = engine
        sa.event.listen(engine, "before_cursor_execute", self._explain)

    def stop(self) -> None:
        """Explain no more."""
        sa.event.remove(self._engine, "before_cursor_execute", self._explain)

    def _explain(self, _: Any, cursor: Any, statement: str, parameters: Any, *__: Any) -> None:
        if "FROM ai_usage_log" in statement or "JOIN ai_usage_log" in statement:
            with cursor.connection.cursor() as beside:
                beside.execute(f"EXPLAIN {statement}", parameters)
                self.plans.append("\n".join(line for (line,) in beside.fetchall()))
