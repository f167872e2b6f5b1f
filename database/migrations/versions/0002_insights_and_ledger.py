"""Insights, the ledger, and summaries."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Alembic compares neither functions nor triggers with the models: an integration test does.
MARK = """
    INSERT INTO rollup_dirty_day (utc_day, writer, marks)
    SELECT DISTINCT CAST(occurred_at AT TIME ZONE 'UTC' AS date), pg_backend_pid(), 1 FROM {changed}
    ON CONFLICT (utc_day, writer) DO UPDATE SET marks = rollup_dirty_day.marks + 1
"""
CHANGES = {
    "insert": ("NEW TABLE AS after_change", "after_change"),
    "update": (
        "OLD TABLE AS before_change NEW TABLE AS after_change",
        "(SELECT occurred_at FROM before_change UNION SELECT occurred_at FROM after_change) AS changed_rows",
    ),
}


def upgrade() -> None:
    op.create_table(
        "ai_usage_log",
        sa.Column("attempt_id", sa.String(length=128), nullable=False),
        sa.Column("call_id", sa.String(length=128), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("organization_id", sa.String(length=128), nullable=False),
        sa.Column("coach_id", sa.String(length=128), nullable=False),
        sa.Column("player_id", sa.String(length=128), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column(
            "lane",
            sa.Enum("live", "overnight", name="lane", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column(
            "service_tier",
            sa.Enum(
                "standard",
                "batch",
                "priority",
                name="service_tier",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("inference_geo", sa.String(), nullable=True),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("cache_read_tokens", sa.Integer(), nullable=False),
        sa.Column("cache_write_5m_tokens", sa.Integer(), nullable=False),
        sa.Column("cache_write_1h_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("thinking_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_usd", sa.Numeric(precision=30, scale=12), nullable=True),
        sa.Column("estimated_cost_usd", sa.Numeric(precision=30, scale=12), nullable=False),
        sa.Column("price_version", sa.String(), nullable=False),
        sa.Column("cache_hit_rate", sa.Numeric(precision=7, scale=6), nullable=True),
        sa.Column("latency_ms", sa.Integer(), nullable=True),
        sa.Column(
            "outcome",
            sa.Enum(
                "sent",
                "succeeded",
                "unusable",
                "refused",
                "rejected",
                "lost",
                "expired",
                "canceled",
                "adjustment",
                name="outcome",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("outcome_reason", sa.String(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("prompt_version", sa.String(), nullable=False),
        sa.Column("flow_run_id", sa.String(), nullable=False),
        sa.Column("batch_id", sa.String(), nullable=True),
        sa.CheckConstraint(
            "cost_usd >= 0 OR outcome = 'adjustment'", name=op.f("ck_ai_usage_log_cost_not_negative")
        ),
        sa.CheckConstraint(
            "outcome <> 'sent' OR cost_usd IS NULL", name=op.f("ck_ai_usage_log_sent_is_unsettled")
        ),
        sa.CheckConstraint(
            "outcome IN ('sent', 'lost') OR cost_usd IS NOT NULL",
            name=op.f("ck_ai_usage_log_settled_has_cost"),
        ),
        sa.CheckConstraint(
            "cache_hit_rate BETWEEN 0 AND 1", name=op.f("ck_ai_usage_log_cache_hit_rate_range")
        ),
        sa.CheckConstraint(
            "cache_read_tokens >= 0", name=op.f("ck_ai_usage_log_cache_read_tokens_not_negative")
        ),
        sa.CheckConstraint(
            "cache_write_1h_tokens >= 0", name=op.f("ck_ai_usage_log_cache_write_1h_tokens_not_negative")
        ),
        sa.CheckConstraint(
            "cache_write_5m_tokens >= 0", name=op.f("ck_ai_usage_log_cache_write_5m_tokens_not_negative")
        ),
        sa.CheckConstraint(
            "estimated_cost_usd >= 0", name=op.f("ck_ai_usage_log_estimated_cost_usd_not_negative")
        ),
        sa.CheckConstraint("input_tokens >= 0", name=op.f("ck_ai_usage_log_input_tokens_not_negative")),
        sa.CheckConstraint("latency_ms >= 0", name=op.f("ck_ai_usage_log_latency_ms_not_negative")),
        sa.CheckConstraint("output_tokens >= 0", name=op.f("ck_ai_usage_log_output_tokens_not_negative")),
        sa.CheckConstraint(
            "thinking_tokens <= output_tokens", name=op.f("ck_ai_usage_log_thinking_is_output")
        ),
        sa.CheckConstraint("thinking_tokens >= 0", name=op.f("ck_ai_usage_log_thinking_tokens_not_negative")),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_ai_usage_log")),
    )
    op.create_index("ix_ai_usage_log_call", "ai_usage_log", ["call_id"], unique=False)
    op.create_index("ix_ai_usage_log_coach_time", "ai_usage_log", ["coach_id", "occurred_at"], unique=False)
    op.create_index(
        "ix_ai_usage_log_operation_time", "ai_usage_log", ["operation", "occurred_at"], unique=False
    )
    op.create_index(
        "ix_ai_usage_log_organization_time", "ai_usage_log", ["organization_id", "occurred_at"], unique=False
    )
    op.create_index("ix_ai_usage_log_run", "ai_usage_log", ["flow_run_id"], unique=False)
    op.create_index("ix_ai_usage_log_time", "ai_usage_log", ["occurred_at", "attempt_id"], unique=False)
    op.create_table(
        "rollup_dirty_day",
        sa.Column("utc_day", sa.Date(), nullable=False),
        sa.Column("writer", sa.Integer(), nullable=False),
        sa.Column("marks", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("utc_day", "writer", name=op.f("pk_rollup_dirty_day")),
    )
    op.create_table(
        "ai_usage_insight",
        sa.Column("attempt_id", sa.String(length=128), nullable=False),
        sa.Column("insight_id", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt_id"],
            ["ai_usage_log.attempt_id"],
            name=op.f("fk_ai_usage_insight_attempt_id_ai_usage_log"),
        ),
        sa.PrimaryKeyConstraint("attempt_id", "insight_id", name=op.f("pk_ai_usage_insight")),
    )
    op.create_index(op.f("ix_ai_usage_insight_insight_id"), "ai_usage_insight", ["insight_id"], unique=False)
    op.create_table(
        "insight",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("organization_id", sa.String(length=128), nullable=False),
        sa.Column("coach_id", sa.String(length=128), nullable=False),
        sa.Column("player_id", sa.String(length=128), nullable=False),
        sa.Column("voice_note_id", sa.String(), nullable=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=True),
        sa.Column("sport", sa.String(), nullable=True),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "claimed",
                "in_batch",
                "summarized",
                "deferred",
                "skipped",
                "parked",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("state_reason", sa.String(), nullable=True),
        sa.Column("claimed_by", sa.String(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'claimed') = (lease_until IS NOT NULL AND claimed_by IS NOT NULL)"
            " AND (lease_until IS NULL) = (claimed_by IS NULL)",
            name=op.f("ck_insight_claim_has_lease"),
        ),
        sa.CheckConstraint(
            "(state = 'deferred') = (not_before IS NOT NULL)", name=op.f("ck_insight_deferred_has_time")
        ),
        sa.CheckConstraint(
            "state NOT IN ('deferred', 'skipped', 'parked') OR state_reason IS NOT NULL",
            name=op.f("ck_insight_reason_kept"),
        ),
        sa.ForeignKeyConstraint(
            ["coach_id"], ["coach.id"], name=op.f("fk_insight_coach_id_coach"), onupdate="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_insight_organization_id_organization")
        ),
        sa.ForeignKeyConstraint(["player_id"], ["player.id"], name=op.f("fk_insight_player_id_player")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_insight")),
    )
    op.create_index(
        "ix_insight_claimable",
        "insight",
        ["player_id", "created_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'deferred')"),
    )
    op.create_index("ix_insight_coach", "insight", ["coach_id", "state"], unique=False)
    op.create_index(
        "ix_insight_lease",
        "insight",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("state = 'claimed'"),
    )
    op.create_index(op.f("ix_insight_organization_id"), "insight", ["organization_id"], unique=False)
    op.create_index("ix_insight_state", "insight", ["state", "id"], unique=False)
    op.create_table(
        "summary",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("insight_id", sa.String(length=128), nullable=False),
        sa.Column("organization_id", sa.String(length=128), nullable=False),
        sa.Column("coach_id", sa.String(length=128), nullable=False),
        sa.Column("player_id", sa.String(length=128), nullable=False),
        sa.Column("attempt_id", sa.String(length=128), nullable=False),
        sa.Column("prompt_version", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column(
            "tone",
            sa.Enum(
                "warm",
                "professional",
                "brief",
                name="tone",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "category",
            sa.Enum(
                "safeguarding",
                "injury",
                "wellbeing",
                "behavior",
                "private",
                "normal",
                name="category",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "model_category",
            sa.Enum(
                "safeguarding",
                "injury",
                "wellbeing",
                "behavior",
                "private",
                "normal",
                name="model_category",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("category_confidence", sa.Numeric(precision=7, scale=6), nullable=False),
        sa.Column("confidence", sa.Numeric(precision=7, scale=6), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("flags", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending_review",
                "auto_approved",
                "approved",
                "suppressed",
                "delivered",
                "viewed",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("rehearsal", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "category_confidence BETWEEN 0 AND 1", name=op.f("ck_summary_category_confidence_range")
        ),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name=op.f("ck_summary_confidence_range")),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["ai_usage_log.attempt_id"], name=op.f("fk_summary_attempt_id_ai_usage_log")
        ),
        sa.ForeignKeyConstraint(
            ["coach_id"], ["coach.id"], name=op.f("fk_summary_coach_id_coach"), onupdate="CASCADE"
        ),
        sa.ForeignKeyConstraint(["insight_id"], ["insight.id"], name=op.f("fk_summary_insight_id_insight")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name=op.f("fk_summary_organization_id_organization")
        ),
        sa.ForeignKeyConstraint(["player_id"], ["player.id"], name=op.f("fk_summary_player_id_player")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_summary")),
    )
    op.create_index(op.f("ix_summary_attempt_id"), "summary", ["attempt_id"], unique=False)
    op.create_index("ix_summary_coach_state", "summary", ["coach_id", "state"], unique=False)
    op.create_index("ix_summary_organization_state", "summary", ["organization_id", "state"], unique=False)
    op.create_index(op.f("ix_summary_player_id"), "summary", ["player_id"], unique=False)
    op.create_index("ix_summary_time", "summary", ["created_at", "id"], unique=False)
    op.create_index(
        "uq_summary_live",
        "summary",
        ["insight_id", "prompt_version"],
        unique=True,
        postgresql_where=sa.text("state <> 'suppressed'"),
    )
    for event, (referencing, changed) in CHANGES.items():
        op.execute(
            f"CREATE FUNCTION mark_dirty_day_on_{event}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {MARK.format(changed=changed)}; RETURN NULL; END $$"
        )
        op.execute(
            f"CREATE TRIGGER mark_dirty_day_on_{event} AFTER {event.upper()} ON ai_usage_log "
            f"REFERENCING {referencing} FOR EACH STATEMENT EXECUTE FUNCTION mark_dirty_day_on_{event}()"
        )


def downgrade() -> None:
    for table in ("summary", "insight", "ai_usage_insight", "rollup_dirty_day", "ai_usage_log"):
        op.drop_table(table)
    for event in CHANGES:
        op.execute(f"DROP FUNCTION mark_dirty_day_on_{event}()")
