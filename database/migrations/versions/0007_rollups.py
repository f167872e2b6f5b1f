"""Rollups with their staging, their runs and checks; marks by subject; a ledger that only grows."""

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COUNTS = (
    "calls",
    "attempts",
    "adjustments",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "hit_rates",
)
BY_CALL = ("operation", "model", "lane", "service_tier")
USAGE_ROLLUPS: dict[str, Sequence[str]] = {
    "organization_day": ("utc_day", "organization_id", "local_day", *BY_CALL),
    "coach_day": ("utc_day", "organization_id", "coach_id", "local_day"),
    "player_day": ("utc_day", "organization_id", "player_id", "local_day"),
    "platform_day": ("utc_day", *BY_CALL),
}
OUTCOME_KEY = ("utc_day", "organization_id", "local_day", "subject", "state", "decision")
CLOSED = {
    "lane": ("live", "overnight"),
    "service_tier": ("standard", "batch", "priority"),
    "subject": ("insight", "summary"),
}
SUMMARY_RUN_STEPS = ("alone_uncached_usd", "alone_cached_usd", "packed_usd")

# Alembic compares neither functions nor triggers with the models: an integration test does.
MARK = """
    INSERT INTO rollup_dirty_day (subject, utc_day, writer, marks)
    SELECT '{subject}', day, pg_backend_pid(), 1 FROM ({days}) AS touched (day)
    ON CONFLICT (subject, utc_day, writer) DO UPDATE SET marks = rollup_dirty_day.marks + 1
"""
# An attempt that comes before others of its call takes the opening of the call from them.
LEDGER_INSERTED = """
    SELECT CAST(occurred_at AT TIME ZONE 'UTC' AS date) FROM after_change
    UNION SELECT CAST(later.occurred_at AT TIME ZONE 'UTC' AS date)
    FROM after_change JOIN ai_usage_log AS later
        ON later.call_id = after_change.call_id AND later.occurred_at > after_change.occurred_at
"""
LEDGER_UPDATED = """
    SELECT CAST(occurred_at AT TIME ZONE 'UTC' AS date) FROM before_change
    UNION SELECT CAST(occurred_at AT TIME ZONE 'UTC' AS date) FROM after_change
    UNION SELECT CAST(later.occurred_at AT TIME ZONE 'UTC' AS date)
    FROM before_change JOIN after_change USING (attempt_id) JOIN ai_usage_log AS later
        ON later.call_id IN (before_change.call_id, after_change.call_id)
        AND later.occurred_at > least(before_change.occurred_at, after_change.occurred_at)
    WHERE (before_change.organization_id, before_change.call_id, before_change.occurred_at,
            before_change.outcome = 'adjustment')
        IS DISTINCT FROM (after_change.organization_id, after_change.call_id, after_change.occurred_at,
            after_change.outcome = 'adjustment')
"""
# Leases and claims that are given back within the same state change no outcome.
CREATED = "SELECT CAST(created_at AT TIME ZONE 'UTC' AS date) FROM {changed}"
RESTATED = """
    SELECT DISTINCT CAST(moment AT TIME ZONE 'UTC' AS date)
    FROM before_change JOIN after_change USING (id),
        LATERAL (VALUES (before_change.created_at), (after_change.created_at)) AS moments (moment)
    WHERE (before_change.state, before_change.created_at, before_change.organization_id)
        IS DISTINCT FROM (after_change.state, after_change.created_at, after_change.organization_id)
"""
MOVED_CLUB = """
    SELECT DISTINCT CAST({at} AT TIME ZONE 'UTC' AS date) FROM {table} WHERE organization_id = NEW.id
"""
REFERENCING = {
    "insert": "NEW TABLE AS after_change",
    "update": "OLD TABLE AS before_change NEW TABLE AS after_change",
    "delete": "OLD TABLE AS before_change",
}
OLD_MARK = """
    INSERT INTO rollup_dirty_day (utc_day, writer, marks)
    SELECT DISTINCT CAST(occurred_at AT TIME ZONE 'UTC' AS date), pg_backend_pid(), 1 FROM {changed}
    ON CONFLICT (utc_day, writer) DO UPDATE SET marks = rollup_dirty_day.marks + 1
"""
OLD_CHANGES = {
    "insert": "after_change",
    "update": "(SELECT occurred_at FROM before_change UNION SELECT occurred_at FROM after_change) AS changed",
}


def upgrade() -> None:
    _mark_by_subject()
    for name, key in USAGE_ROLLUPS.items():
        _rollup(name, key, _sums)
    _rollup("outcome_day", OUTCOME_KEY, lambda: [sa.Column("number", sa.BigInteger(), nullable=False)])
    _runs()
    _checks()
    _staged_for_checks()
    for step in SUMMARY_RUN_STEPS:
        op.add_column("summary_run", sa.Column(step, sa.Numeric(30, 12)))
    op.create_index("ix_summary_run_started", "summary_run", ["started_at"])
    _marking_triggers()
    op.execute(
        "CREATE TRIGGER refuse_to_lose BEFORE DELETE OR TRUNCATE ON ai_usage_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_alter()"
    )


def _mark_by_subject() -> None:
    op.add_column(
        "rollup_dirty_day",
        sa.Column(
            "subject",
            sa.Enum(
                "usage", "outcomes", name="subject", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
            server_default="usage",
        ),
    )
    op.alter_column("rollup_dirty_day", "subject", server_default=None)
    op.drop_constraint("pk_rollup_dirty_day", "rollup_dirty_day")
    op.create_primary_key("pk_rollup_dirty_day", "rollup_dirty_day", ["subject", "utc_day", "writer"])
    # What was rolled up before a downgrade is gone: every day that has rows is marked.
    for subject, table, at in (
        ("usage", "ai_usage_log", "occurred_at"),
        ("outcomes", "insight", "created_at"),
        ("outcomes", "summary", "created_at"),
    ):
        op.execute(
            "INSERT INTO rollup_dirty_day (subject, utc_day, writer, marks) "  # noqa: S608
            f"SELECT DISTINCT '{subject}', CAST({at} AT TIME ZONE 'UTC' AS date), 0, 1 FROM {table} "
            "ON CONFLICT DO NOTHING"
        )


def _rollup(name: str, key: Sequence[str], figures: Callable[[], list[sa.Column[Any]]]) -> None:
    checks = [
        sa.CheckConstraint(f"{column.name} >= 0", name=op.f(f"ck_rollup_{name}_{column.name}_not_negative"))
        for column in figures()
        if isinstance(column.type, sa.BigInteger)
    ]
    op.create_table(
        f"rollup_{name}",
        *(_key_column(column, closed=True) for column in key),
        *figures(),
        *checks,
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_rollup_{name}")),
    )
    _staging(f"staged_{name}", [*(_key_column(column, closed=False) for column in key), *figures()])


def _key_column(name: str, *, closed: bool) -> sa.Column[Any]:
    kind: sa.types.TypeEngine[Any] = sa.String()
    if name.endswith("_day"):
        kind = sa.Date()
    elif name.endswith("_id"):
        kind = sa.String(128)
    elif name in CLOSED and closed:
        kind = sa.Enum(*CLOSED[name], name=name, native_enum=False, create_constraint=True, length=32)
    return sa.Column(name, kind, nullable=False)


def _sums() -> list[sa.Column[Any]]:
    return [
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in COUNTS),
        sa.Column("hit_rates_sum", sa.Numeric(20, 6), nullable=False),
        sa.Column("cost_usd", sa.Numeric(30, 12), nullable=False),
        sa.Column("saved_usd", sa.Numeric(30, 12), nullable=False),
    ]


def _staging(name: str, columns: Sequence[sa.Column[Any]]) -> None:
    for column in columns:
        column.nullable = True
    op.create_table(
        name, sa.Column("run_id", sa.String(128), nullable=False), *columns, prefixes=["UNLOGGED"]
    )


def _runs() -> None:
    op.create_table(
        "rollup_run",
        sa.Column("run_id", sa.String(128), nullable=False),
        sa.Column("flow_run_id", sa.String(128), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("days", sa.ARRAY(sa.Date()), nullable=False),
        sa.Column("staged_rows", pg.JSONB(), nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_rollup_run")),
    )
    op.create_table(
        "rollup_day",
        sa.Column("utc_day", sa.Date(), nullable=False),
        sa.Column("run_id", sa.String(128), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("price_version", sa.String(), nullable=False),
        sa.Column("ledger_rows", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("ledger_rows >= 0", name=op.f("ck_rollup_day_ledger_rows_not_negative")),
        sa.PrimaryKeyConstraint("utc_day", name=op.f("pk_rollup_day")),
    )


def _checks() -> None:
    op.create_table(
        "quality_check",
        sa.Column("run_id", sa.String(128), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("staged_table", sa.String(), nullable=False),
        sa.Column("critical", sa.Boolean(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "result",
            sa.Enum(
                "passed",
                "failed",
                "warned",
                name="result",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("failing", sa.Integer(), nullable=False),
        sa.Column("failing_rows", pg.JSONB(), nullable=False),
        sa.Column("exception", sa.String()),
        sa.CheckConstraint("failing >= 0", name=op.f("ck_quality_check_failing_not_negative")),
        sa.PrimaryKeyConstraint("run_id", "name", "staged_table", name=op.f("pk_quality_check")),
    )
    op.create_index("ix_quality_check_time", "quality_check", ["checked_at"])


def _staged_for_checks() -> None:
    ledger_day: list[sa.Column[Any]] = [sa.Column("utc_day", sa.Date()), *_sums()[:-1]]
    _staging("staged_ledger_day", ledger_day)
    _staging(
        "staged_price_gap",
        [
            sa.Column("utc_day", sa.Date()),
            sa.Column("attempt_id", sa.String(128)),
            sa.Column("organization_id", sa.String(128)),
            sa.Column("model", sa.String()),
            sa.Column("outcome", sa.String()),
            sa.Column("cost_usd", sa.Numeric(30, 12)),
            sa.Column("allowed_usd", sa.Numeric(30, 12)),
            sa.Column("price_version", sa.String()),
            sa.Column("same_list", sa.Boolean()),
        ],
    )


def _marking_triggers() -> None:
    for event in ("insert", "update"):
        op.execute(f"DROP TRIGGER mark_dirty_day_on_{event} ON ai_usage_log")
        op.execute(f"DROP FUNCTION mark_dirty_day_on_{event}()")
    _marking("ai_usage_log", "insert", "usage", LEDGER_INSERTED)
    _marking("ai_usage_log", "update", "usage", LEDGER_UPDATED)
    for table in ("insight", "summary"):
        _marking(table, "insert", "outcomes", CREATED.format(changed="after_change GROUP BY 1"))
        _marking(table, "update", "outcomes", RESTATED)
        _marking(table, "delete", "outcomes", CREATED.format(changed="before_change GROUP BY 1"))
    moved = "; ".join(
        MARK.format(subject=subject, days=MOVED_CLUB.format(at=at, table=table))
        for subject, table, at in (
            ("usage", "ai_usage_log", "occurred_at"),
            ("outcomes", "insight", "created_at"),
            ("outcomes", "summary", "created_at"),
        )
    )
    op.execute(
        "CREATE FUNCTION mark_days_of_moved_club() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {moved}; RETURN NULL; END $$"
    )
    op.execute(
        # At the end of its transaction, so that it sees what was written meanwhile.
        "CREATE CONSTRAINT TRIGGER mark_days_of_moved_club AFTER UPDATE OF timezone ON organization "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
        "WHEN (OLD.timezone IS DISTINCT FROM NEW.timezone) EXECUTE FUNCTION mark_days_of_moved_club()"
    )


def _marking(table: str, event: str, subject: str, days: str) -> None:
    """A function and its trigger; it never scans the ledger, whatever the plan was first made for."""
    name = f"mark_{table}_{event}"
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql "
        "SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS "
        f"$$ BEGIN {MARK.format(subject=subject, days=days)}; RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} AFTER {event.upper()} ON {table} "
        f"REFERENCING {REFERENCING[event]} FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER refuse_to_lose ON ai_usage_log")
    op.execute("DROP TRIGGER mark_days_of_moved_club ON organization")
    op.execute("DROP FUNCTION mark_days_of_moved_club()")
    marked = [("ai_usage_log", event) for event in ("insert", "update")]
    marked += [(table, event) for table in ("insight", "summary") for event in ("insert", "update", "delete")]
    for table, event in marked:
        op.execute(f"DROP TRIGGER mark_{table}_{event} ON {table}")
        op.execute(f"DROP FUNCTION mark_{table}_{event}()")
    op.drop_index("ix_summary_run_started", "summary_run")
    for step in SUMMARY_RUN_STEPS:
        op.drop_column("summary_run", step)
    staged = [f"staged_{name}" for name in (*USAGE_ROLLUPS, "outcome_day", "ledger_day", "price_gap")]
    rollups = [f"rollup_{name}" for name in (*USAGE_ROLLUPS, "outcome_day", "day", "run")]
    for table in (*staged, *rollups, "quality_check"):
        op.drop_table(table)
    op.execute("DELETE FROM rollup_dirty_day WHERE subject <> 'usage'")
    op.drop_constraint("pk_rollup_dirty_day", "rollup_dirty_day")
    op.drop_column("rollup_dirty_day", "subject")
    op.create_primary_key("pk_rollup_dirty_day", "rollup_dirty_day", ["utc_day", "writer"])
    for event, changed in OLD_CHANGES.items():
        op.execute(
            f"CREATE FUNCTION mark_dirty_day_on_{event}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {OLD_MARK.format(changed=changed)}; RETURN NULL; END $$"
        )
        op.execute(
            f"CREATE TRIGGER mark_dirty_day_on_{event} AFTER {event.upper()} ON ai_usage_log "
            f"REFERENCING {REFERENCING[event]} FOR EACH STATEMENT "
            f"EXECUTE FUNCTION mark_dirty_day_on_{event}()"
        )
