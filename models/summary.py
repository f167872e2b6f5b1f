"""The parent-facing text made from one insight."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlmodel import Field, SQLModel

from core.categories import Category
from core.states import Decision, SummaryState, Tier, Tone
from models.base import ID_LENGTH, Share, checked, follows_coach_key, within
from models.sql import Queries, load


class Summary(SQLModel, table=True):
    """A summary; at most one that is not suppressed per insight and prompt version.

    Triggers refuse every move of its state that `core.transitions` does not have, a move without its
    event, and any change of what was decided.
    """

    __table_args__ = (
        sa.CheckConstraint(
            "decision = 'review' OR category = 'normal' AND model_category = 'normal'"
            " AND category_confidence >= 0.8 AND cardinality(flags) = 0",
            name="only_normal_by_itself",
        ),
        sa.CheckConstraint(
            "(decision = 'approve') = (tier = 'auto_send')"
            " AND (decision = 'approve') = (revocable_until IS NOT NULL)",
            name="decision_has_tier",
        ),
        sa.CheckConstraint("NOT (rehearsal AND state IN ('delivered', 'viewed'))", name="rehearsal_stays"),
        within("category_confidence", 0, 1),
        within("confidence", 0, 1),
        sa.Index(
            "uq_summary_live",
            "insight_id",
            "prompt_version",
            unique=True,
            postgresql_where=sa.text("state <> 'suppressed'"),
        ),
        sa.Index("ix_summary_time", "created_at", "id"),
        sa.Index("ix_summary_organization_state", "organization_id", "state"),
        sa.Index("ix_summary_coach_state", "coach_id", "state"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    insight_id: str = Field(foreign_key="insight.id", max_length=ID_LENGTH)
    organization_id: str = Field(foreign_key="organization.id", max_length=ID_LENGTH)
    coach_id: str = Field(max_length=ID_LENGTH, sa_column_args=[follows_coach_key()])
    player_id: str = Field(foreign_key="player.id", max_length=ID_LENGTH, index=True)
    attempt_id: str = Field(foreign_key="ai_usage_log.attempt_id", max_length=ID_LENGTH, index=True)
    prompt_version: str
    model: str  # as answered
    tone: Tone = Field(sa_type=checked(Tone, "tone"))
    category: Category = Field(sa_type=checked(Category, "category"))
    model_category: Category = Field(sa_type=checked(Category, "model_category"))
    category_confidence: Decimal = Field(sa_type=Share)
    confidence: Decimal = Field(sa_type=Share)
    reason: str  # the model's, when not normal; private to the coach
    flags: list[str] = Field(sa_type=sa.ARRAY(sa.Text()))
    text: str  # what a parent may read, once approved
    original_text: str | None = None  # the model's own, when the coach has edited the text
    state: SummaryState = Field(sa_type=checked(SummaryState, "state"))
    rehearsal: bool  # made elsewhere than at the vendor's own address: never deliverable
    created_at: datetime  # and decided about
    decision: Decision = Field(sa_type=checked(Decision, "decision"))
    tier: Tier = Field(sa_type=checked(Tier, "tier"))
    decision_reasons: list[str] = Field(sa_type=sa.ARRAY(sa.Text()))  # fixed words (`core.approval`)
    evidence: dict[str, Any] = Field(sa_type=pg.JSONB())  # all that the decision rests on, without texts
    preview: Decision | None = Field(default=None, sa_type=checked(Decision, "preview"))  # at level 2
    revocable_until: datetime | None = None  # when it is delivered, if it was approved by rule
    acknowledged_at: datetime | None = None  # by a guardian
    suppression_reason: str | None = None  # the coach's own words; private


QUERIES: Queries = load("summary.sql")
