"""Migrations, models and the database agree; what Alembic cannot see is looked at directly."""

import subprocess
import sys
from decimal import Decimal
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command

from core.errors import NotReady
from core.settings import Settings
from database import migrate
from database.engine import connect, database
from models.tables import metadata
from tests.integration.rolled_up import rolled_up


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_migrations_and_models_agree(database_url: str) -> None:
    migrate.check(database_url)


def test_the_database_keeps_every_enumeration_the_models_name(database_url: str) -> None:
    """Alembic does not compare CHECK constraints, so a new member could be forgotten."""
    found = dict(
        rows(database_url, "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c'")
    )
    enumerations = 0
    for table in metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, sa.Enum):
                enumerations += 1
                kept = set(found[f"ck_{table.name}_{column.type.name}"].split("'")[1::2])
                assert kept == set(column.type.enums), f"{table.name}.{column.name}"
    assert enumerations >= 8


def test_every_check_of_the_models_is_in_the_database_and_no_other(database_url: str) -> None:
    found = {
        name
        for (name,) in rows(
            database_url,
            "SELECT conname FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid"
            " WHERE contype = 'c' AND relname <> 'alembic_version'",
        )
    }
    with_models = {
        str(constraint.name)
        for table in metadata.sorted_tables
        for constraint in table.constraints
        if isinstance(constraint, sa.CheckConstraint)
    }
    named = {name if name.startswith("ck_") else None for name in with_models}
    assert None not in named
    assert found == with_models


def test_all_migrations_can_be_taken_back(database_url: str) -> None:
    migrate.downgrade(database_url)
    left = rows(database_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert left == [("alembic_version",)]
    functions = rows(database_url, "SELECT 1 FROM pg_proc WHERE pronamespace = 'public'::regnamespace")
    assert functions == []
    migrate.upgrade(database_url)
    migrate.require_head(database_url)


def test_the_texts_of_prompts_can_be_taken_back_by_themselves(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        insert_attempt(connection, "a")
    command.downgrade(migrate.config(database_url), "0002")
    assert rows(database_url, "SELECT to_regclass('prompt')::text") == [(None,)]
    assert rows(database_url, "SELECT attempt_id FROM ai_usage_log") == [("a",)]
    migrate.upgrade(database_url)
    assert rows(database_url, "SELECT count(*) FROM prompt") == [(0,)]
    migrate.check(database_url)


def test_what_the_planner_keeps_can_be_taken_back_by_itself(database_url: str) -> None:
    planner = ("cache_prefix", "rate_limit", "token_count", "token_ratio", "summary_run")
    with psycopg.connect(database_url) as connection:
        insert_attempt(connection, "a")
    command.downgrade(migrate.config(database_url), "0003")
    left = {name for (name,) in rows(database_url, "SELECT tablename FROM pg_tables")}
    assert not left & set(planner)
    assert "prompt" in left
    assert rows(database_url, "SELECT attempt_id FROM ai_usage_log") == [("a",)]
    migrate.upgrade(database_url)
    migrate.check(database_url)


def test_batches_can_be_taken_back_by_themselves_and_let_their_insights_go(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        insert_attempt(connection, "a", lane="overnight", service_tier="batch", batch_id="b")
        connection.execute(IN_BATCH)
    command.downgrade(migrate.config(database_url), "0005")
    left = {name for (name,) in rows(database_url, "SELECT tablename FROM pg_tables")}
    assert not left & {"message_batch", "batch_item"}
    assert "setting" in left
    assert rows(database_url, "SELECT id, state FROM insight ORDER BY id") == [
        ("i1", "pending"),
        ("i2", "summarized"),
    ]
    assert rows(database_url, "SELECT attempt_id, batch_id FROM ai_usage_log") == [("a", "b")]
    migrate.upgrade(database_url)
    kept = rows(database_url, "SELECT DISTINCT missed_due, unusable_answers FROM insight")
    assert kept == [(False, 0)]
    migrate.check(database_url)


def test_rollups_can_be_taken_back_by_themselves_and_come_back_with_all_days_marked(
    database_url: str,
) -> None:
    with psycopg.connect(database_url) as connection:
        insert_attempt(connection, "a", at="2026-03-01T12:00:00Z")
        connection.execute(IN_BATCH)
        connection.execute("UPDATE insight SET state = 'pending', created_at = '2026-03-05T12:00:00Z'")
    rolled_up(database_url)
    assert marks(database_url) == {}
    command.downgrade(migrate.config(database_url), "0006")
    left = {name for (name,) in rows(database_url, "SELECT tablename FROM pg_tables")}
    assert not any(name.startswith(("rollup_o", "rollup_p", "staged_", "quality_")) for name in left)
    with psycopg.connect(database_url) as connection:
        insert_attempt(connection, "b", at="2026-03-02T12:00:00Z")
        connection.execute("UPDATE ai_usage_log SET latency_ms = 5 WHERE attempt_id = 'b'")
    assert marks(database_url) == {"2026-03-02": 2}
    migrate.upgrade(database_url)
    asked = "SELECT DISTINCT subject, utc_day::text FROM rollup_dirty_day ORDER BY 1, 2"
    assert rows(database_url, asked) == [
        ("outcomes", "2026-03-05"),
        ("usage", "2026-03-01"),
        ("usage", "2026-03-02"),
    ]
    migrate.check(database_url)


IN_BATCH = b"""
WITH club AS (INSERT INTO organization (id, name, timezone) VALUES ('o', 'Club', 'UTC')),
coach AS (
    INSERT INTO coach (id, auth_id, organization_id, name, tone, summaries_enabled, skip_sensitive, approvals,
        suppressions)
    VALUES ('c', 'c', 'o', 'Coach', 'warm', true, false, 0, 0)
), player AS (
    INSERT INTO player (id, organization_id, first_name, sport) VALUES ('p', 'o', 'Aoife', 'soccer')
),
batch AS (
    INSERT INTO message_batch (batch_id, run_id, account, model, kind, stage, state, requests, prefixes,
        created_at, sent_until, due_at)
    VALUES ('b', 'run', 'account', 'm', 'main', 0, 'sent', 1, '{}', now(), now(), now())
), item AS (
    INSERT INTO batch_item (attempt_id, batch_id, insight_ids, packed, prefix_key, marked, front_tokens,
        predicted_input_tokens, predicted_read_tokens, predicted_write_tokens, predicted_output_tokens)
    VALUES ('a', 'b', '{i1}', false, 'key', 0, 1, 1, 0, 0, 1)
)
INSERT INTO insight (id, organization_id, coach_id, player_id, title, description, urgent, created_at, state,
    missed_due, unusable_answers)
VALUES ('i1', 'o', 'c', 'p', 't', 'd', false, now(), 'in_batch', false, 1),
    ('i2', 'o', 'c', 'p', 't', 'd', false, now(), 'summarized', true, 0)
"""


def test_money_is_kept_to_the_twelfth_decimal(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        insert_attempt(connection, "a", cost_usd=Decimal("0.000000005"))
        kept = connection.execute("SELECT cost_usd FROM ai_usage_log").fetchall()
    assert kept == [(Decimal("0.000000005000"),)]


def insert_attempt(
    connection: "psycopg.Connection[Any]",
    attempt_id: str,
    *,
    at: str = "2026-03-01T23:30:00Z",
    **changed: Any,
) -> None:
    row = (
        {
            "attempt_id": attempt_id,
            "call_id": attempt_id,
            "occurred_at": at,
            "recorded_at": at,
            "organization_id": "club",
            "coach_id": "coach",
            "player_id": "player",
            "operation": "parent_summary",
            "model": "claude-haiku-5-5",
            "lane": "live",
            "service_tier": "standard",
            "estimated_cost_usd": Decimal("0.001"),
            "price_version": "test",
            "outcome": "succeeded",
            "cost_usd": Decimal("0.001"),
            "prompt_version": "test",
            "flow_run_id": "run",
        }
        | {name: 0 for name in TOKENS}
        | changed
    )
    names, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    connection.execute(f"INSERT INTO ai_usage_log ({names}) VALUES ({places})".encode(), row)  # noqa: S608


TOKENS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "thinking_tokens",
)


@pytest.mark.parametrize(
    "wrong",
    [
        {"input_tokens": -1},
        {"cost_usd": Decimal(-1)},
        {"cache_hit_rate": Decimal(2)},
        {"output_tokens": 1, "thinking_tokens": 2},
        {"outcome": "sent"},
        {"cost_usd": None},
        {"outcome": "forgotten"},
        {"lane": "tomorrow"},
    ],
    ids=str,
)
def test_the_ledger_takes_no_row_that_contradicts_itself(database_url: str, wrong: dict[str, Any]) -> None:
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.CheckViolation):
        insert_attempt(connection, "a", **wrong)


def marks(url: str) -> dict[str, int]:
    query = "SELECT utc_day::text, sum(marks)::int FROM rollup_dirty_day GROUP BY 1 ORDER BY 1"
    return dict(rows(url, query))


def test_every_insert_and_update_of_the_ledger_marks_its_utc_day(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET TIME ZONE 'Pacific/Auckland'")
        insert_attempt(connection, "a", at="2026-03-01T23:30:00Z")
        assert marks(database_url) == {"2026-03-01": 1}
        connection.execute("UPDATE ai_usage_log SET latency_ms = 5")
        assert marks(database_url) == {"2026-03-01": 2}
        connection.execute("UPDATE ai_usage_log SET occurred_at = '2026-03-02T00:30:00Z'")
        assert marks(database_url) == {"2026-03-01": 3, "2026-03-02": 1}


def test_writers_of_one_day_do_not_wait_for_each_other(database_url: str) -> None:
    with psycopg.connect(database_url) as first, psycopg.connect(database_url) as second:
        second.execute("SET lock_timeout = '2s'")
        insert_attempt(first, "a")
        insert_attempt(second, "b")
        second.commit()
        first.commit()
    assert marks(database_url) == {"2026-03-01": 2}


def test_a_mark_goes_with_its_transaction(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        insert_attempt(connection, "a")
        connection.rollback()
    assert marks(database_url) == {}


def test_a_database_at_another_migration_is_refused_with_the_next_step(
    database_url: str, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    with pytest.raises(NotReady, match="touchline db upgrade"), database(Settings()):
        pass
    engine = connect(database_url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    monkeypatch.setenv("DATABASE_URL", database_url)
    with pytest.raises(NotReady, match="newer Touchline"), database(Settings()):
        pass


def test_a_database_that_cannot_be_reached_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://someone:secret@127.0.0.1:1/nothing")
    with pytest.raises(NotReady, match="cannot be reached") as refused, database(Settings()):
        pass
    assert "secret" not in str(refused.value)


def test_two_upgrades_at_once_both_succeed(empty_database_url: str) -> None:
    upgrade = [sys.executable, "-c", "import sys; from database import migrate; migrate.upgrade(sys.argv[1])"]
    both = [subprocess.Popen([*upgrade, empty_database_url]) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    migrate.require_head(empty_database_url)
