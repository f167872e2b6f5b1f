"""What workers agree on: warm prefixes, rate limits, counted texts, and the runs."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _cache_prefix()
    _rate_limit()
    _token_counts()
    _summary_run()
    op.create_index("ix_insight_time", "insight", ["created_at"])


def downgrade() -> None:
    op.drop_index("ix_insight_time", "insight")
    for table in ("summary_run", "token_ratio", "token_count", "rate_limit", "cache_prefix"):
        op.drop_table(table)


def _cache_prefix() -> None:
    op.create_table(
        "cache_prefix",
        sa.Column("account", sa.String(128), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("ttl", sa.String(), nullable=False),
        sa.Column("warm_until", sa.DateTime(timezone=True)),
        sa.Column("leader", sa.String(128)),
        sa.Column("leader_until", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "(leader IS NULL) = (leader_until IS NULL)", name=op.f("ck_cache_prefix_leader_has_lease")
        ),
        sa.CheckConstraint("ttl IN ('5m', '1h')", name=op.f("ck_cache_prefix_ttl")),
        sa.PrimaryKeyConstraint("account", "key", name=op.f("pk_cache_prefix")),
    )
    op.create_index("ix_cache_prefix_leader", "cache_prefix", ["leader"])


def _rate_limit() -> None:
    op.create_table(
        "rate_limit",
        sa.Column("account", sa.String(128), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("per_minute", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Float(), nullable=False),
        sa.Column("level_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True)),
        sa.CheckConstraint("per_minute > 0", name=op.f("ck_rate_limit_per_minute_positive")),
        sa.PrimaryKeyConstraint("account", "model", "kind", name=op.f("pk_rate_limit")),
    )


def _token_counts() -> None:
    op.create_table(
        "token_count",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("text_key", sa.String(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("tokens >= 0", name=op.f("ck_token_count_tokens_not_negative")),
        sa.PrimaryKeyConstraint("model", "text_key", name=op.f("pk_token_count")),
    )
    op.create_table(
        "token_ratio",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("units", sa.Numeric(20, 3), nullable=False),
        sa.Column("tokens", sa.Numeric(20, 3), nullable=False),
        sa.CheckConstraint("units > 0", name=op.f("ck_token_ratio_units_positive")),
        sa.PrimaryKeyConstraint("model", "kind", name=op.f("pk_token_ratio")),
    )


def _summary_run() -> None:
    op.create_table(
        "summary_run",
        sa.Column("run_id", sa.String(128), nullable=False),
        sa.Column(
            "lane",
            sa.Enum("live", "overnight", name="lane", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("organization_id", sa.String(128)),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("insights", sa.Integer()),
        sa.Column("calls", sa.Integer()),
        *(
            sa.Column(f"{name}_usd", sa.Numeric(30, 12))
            for name in ("predicted", "billed", "uncached", "floor")
        ),
        sa.Column("efficiency", sa.Numeric(9, 6)),
        sa.Column("stopped", sa.String()),
        *(
            sa.CheckConstraint(f"{name} >= 0", name=op.f(f"ck_summary_run_{name}_not_negative"))
            for name in ("insights", "calls", "billed_usd")
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_summary_run")),
    )
    op.create_index("ix_summary_run_time", "summary_run", ["lane", "started_at"])
