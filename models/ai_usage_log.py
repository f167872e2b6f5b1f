"""The ledger: one row per attempt, written as `sent` before the request and settled after it."""

from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.states import Lane, Outcome, ServiceTier
from models.base import ID_LENGTH, Money, Share, checked, not_negative, within
from models.sql import Queries, load

TOKEN_CLASSES = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)


class AiUsageLog(SQLModel, table=True):
    """One attempt (one HTTP request) of one call; `cost_usd` is null until it is settled.

    The ids carry no foreign keys: the ledger outlives the people it names. Money is
    `coalesce(cost_usd, estimated_cost_usd)`. Triggers mark the UTC day of every insert and update in
    `rollup_dirty_day`.
    """

    __tablename__ = "ai_usage_log"
    __table_args__ = (
        *not_negative(*TOKEN_CLASSES, "thinking_tokens", "latency_ms", "estimated_cost_usd"),
        within("cache_hit_rate", 0, 1),
        sa.CheckConstraint("thinking_tokens <= output_tokens", name="thinking_is_output"),
        sa.CheckConstraint("cost_usd >= 0 OR outcome = 'adjustment'", name="cost_not_negative"),
        sa.CheckConstraint("outcome <> 'sent' OR cost_usd IS NULL", name="sent_is_unsettled"),
        sa.CheckConstraint("outcome IN ('sent', 'lost') OR cost_usd IS NOT NULL", name="settled_has_cost"),
        sa.Index("ix_ai_usage_log_organization_time", "organization_id", "occurred_at"),
        sa.Index("ix_ai_usage_log_coach_time", "coach_id", "occurred_at"),
        sa.Index("ix_ai_usage_log_time", "occurred_at", "attempt_id"),
        sa.Index("ix_ai_usage_log_operation_time", "operation", "occurred_at"),
        sa.Index("ix_ai_usage_log_run", "flow_run_id"),
        sa.Index("ix_ai_usage_log_call", "call_id"),
    )

    attempt_id: str = Field(primary_key=True, max_length=ID_LENGTH)  # ours, never the vendor's
    call_id: str = Field(max_length=ID_LENGTH)  # the logical request; its attempts share it
    occurred_at: datetime  # when the request was sent
    recorded_at: datetime  # when this row last changed
    organization_id: str = Field(max_length=ID_LENGTH)
    coach_id: str = Field(max_length=ID_LENGTH)
    player_id: str = Field(max_length=ID_LENGTH)
    operation: str  # parent_summary, ...
    model: str  # as answered; as asked until then
    lane: Lane = Field(sa_type=checked(Lane, "lane"))
    service_tier: ServiceTier = Field(sa_type=checked(ServiceTier, "service_tier"))
    inference_geo: str | None = None
    input_tokens: int = 0  # the uncached part
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0  # a part of output_tokens
    cost_usd: Decimal | None = Field(default=None, sa_type=Money)
    estimated_cost_usd: Decimal = Field(sa_type=Money)
    price_version: str
    cache_hit_rate: Decimal | None = Field(default=None, sa_type=Share)
    latency_ms: int | None = None
    outcome: Outcome = Field(sa_type=checked(Outcome, "outcome"))
    outcome_reason: str | None = None  # a short fixed word, never text of a note or an answer
    request_id: str | None = None  # the vendor's; may be empty or repeated
    prompt_version: str
    flow_run_id: str
    batch_id: str | None = None


class AiUsageInsight(SQLModel, table=True):
    """Which insights an attempt was made for."""

    __tablename__ = "ai_usage_insight"

    attempt_id: str = Field(primary_key=True, foreign_key="ai_usage_log.attempt_id", max_length=ID_LENGTH)
    insight_id: str = Field(primary_key=True, max_length=ID_LENGTH, index=True)


QUERIES: Queries = load("ai_usage_log.sql")
