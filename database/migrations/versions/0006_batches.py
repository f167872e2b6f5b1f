"""Message batches, their items, and what a batch leaves on an insight."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql as pg

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATES = ("sent", "open", "collected", "refused", "missing")


def upgrade() -> None:
    _insight_columns()
    _message_batch()
    _batch_item()


def downgrade() -> None:
    op.execute("UPDATE insight SET state = 'pending' WHERE state = 'in_batch'")
    for table in ("batch_item", "message_batch"):
        op.drop_table(table)
    op.drop_constraint(op.f("ck_insight_unusable_answers_not_negative"), "insight")
    for column in ("unusable_answers", "missed_due"):
        op.drop_column("insight", column)


def _insight_columns() -> None:
    op.add_column("insight", sa.Column("missed_due", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("insight", sa.Column("unusable_answers", sa.Integer(), nullable=False, server_default="0"))
    op.create_check_constraint(
        op.f("ck_insight_unusable_answers_not_negative"), "insight", "unusable_answers >= 0"
    )


def _message_batch() -> None:
    op.create_table(
        "message_batch",
        sa.Column("batch_id", sa.String(128), nullable=False),
        sa.Column("vendor_id", sa.String(128)),
        sa.Column("run_id", sa.String(128), nullable=False),
        sa.Column("account", sa.String(128), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("kind", _checked("kind", "prime", "main"), nullable=False),
        sa.Column("stage", sa.Integer(), nullable=False),
        sa.Column("state", _checked("state", *STATES), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("prefixes", pg.JSONB(), nullable=False),
        *(
            sa.Column(f"{name}", sa.DateTime(timezone=True), nullable=False)
            for name in ("created_at", "sent_until", "due_at")
        ),
        *(
            sa.Column(f"{name}", sa.DateTime(timezone=True))
            for name in ("opened_at", "canceled_at", "ended_at", "collected_at", "collector_until")
        ),
        sa.Column("cancel_reason", sa.String()),
        sa.Column("collector", sa.String(128)),
        *(
            sa.CheckConstraint(f"{name} >= 0", name=op.f(f"ck_message_batch_{name}_not_negative"))
            for name in ("requests", "stage")
        ),
        sa.CheckConstraint(
            "state <> 'open' OR vendor_id IS NOT NULL", name=op.f("ck_message_batch_open_has_vendor_id")
        ),
        sa.CheckConstraint(
            "(collector IS NULL) = (collector_until IS NULL)",
            name=op.f("ck_message_batch_collector_has_lease"),
        ),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_message_batch")),
    )
    op.create_index(
        "ix_message_batch_unfinished",
        "message_batch",
        ["account", "created_at"],
        postgresql_where=sa.text("state IN ('sent', 'open')"),
    )
    op.create_index("ix_message_batch_time", "message_batch", ["created_at", "batch_id"])
    op.create_index("ix_message_batch_run", "message_batch", ["run_id"])
    op.create_index("uq_message_batch_vendor", "message_batch", ["account", "vendor_id"], unique=True)


def _batch_item() -> None:
    counts = (
        "front_tokens",
        *(f"predicted_{kind}_tokens" for kind in ("input", "read", "write", "output")),
    )
    op.create_table(
        "batch_item",
        sa.Column("attempt_id", sa.String(128), nullable=False),
        sa.Column("batch_id", sa.String(128), nullable=False),
        sa.Column("insight_ids", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("packed", sa.Boolean(), nullable=False),
        sa.Column("prefix_key", sa.String(), nullable=False),
        sa.Column("marked", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in counts),
        *(
            sa.CheckConstraint(f"{name} >= 0", name=op.f(f"ck_batch_item_{name}_not_negative"))
            for name in counts
        ),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["ai_usage_log.attempt_id"], name=op.f("fk_batch_item_attempt_id_ai_usage_log")
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["message_batch.batch_id"], name=op.f("fk_batch_item_batch_id_message_batch")
        ),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_batch_item")),
    )
    op.create_index("ix_batch_item_batch", "batch_item", ["batch_id"])


def _checked(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)
