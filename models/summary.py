"""The parent-facing text made from one insight."""

from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.categories import Category
from core.states import SummaryState, Tone
from models.base import ID_LENGTH, Share, checked, follows_coach_key, within
from models.sql import Queries, load


class Summary(SQLModel, table=True):
    """A summary; at most one that is not suppressed per insight and prompt version."""

    __table_args__ = (
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
    state: SummaryState = Field(sa_type=checked(SummaryState, "state"))
    rehearsal: bool  # made elsewhere than at the vendor's own address: never deliverable
    created_at: datetime


QUERIES: Queries = load("summary.sql")
