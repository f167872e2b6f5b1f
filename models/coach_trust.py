"""How far a coach's summaries are trusted to go out by themselves, and what each week has taught."""

from datetime import date, datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.learning import Why
from models.base import ID_LENGTH, Share, checked, follows_coach_key, not_negative, within
from models.sql import Queries, load


class CoachTrust(SQLModel, table=True):
    """What a coach has decided and set here; a coach without a row has done neither.

    The counts come on top of those that `coach` carries over from the upstream app, and equal a recount of
    the coach's events. The level is not stored: it follows from the counts (`core.trust`).
    """

    __tablename__ = "coach_trust"
    __table_args__ = (
        *not_negative("approvals", "suppressions"),
        within("preferred_level", 0, 3),
        sa.CheckConstraint("own_threshold BETWEEN 0.60 AND 1", name="own_threshold_range"),
        sa.CheckConstraint("learned_threshold BETWEEN 0.60 AND 0.85", name="learned_threshold_range"),
    )

    coach_id: str = Field(primary_key=True, max_length=ID_LENGTH, sa_column_args=[follows_coach_key()])
    approvals: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    suppressions: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    preferred_level: int | None = None  # null: as the upstream app says
    own_threshold: Decimal | None = Field(default=None, sa_type=Share)
    learned_threshold: Decimal | None = Field(default=None, sa_type=Share)


class ThresholdWeek(SQLModel, table=True):
    """What a week has taught about a coach's threshold: one row a coach and week, so it is learned once."""

    __tablename__ = "threshold_week"
    __table_args__ = not_negative(
        "decisions", "low_reviewed", "low_approved", "high_reviewed", "high_rejected"
    )

    coach_id: str = Field(primary_key=True, max_length=ID_LENGTH, sa_column_args=[follows_coach_key()])
    week: date = Field(primary_key=True)  # its Monday, in UTC
    learned_at: datetime
    previous: Decimal | None = Field(default=None, sa_type=Share)
    threshold: Decimal | None = Field(default=None, sa_type=Share)  # null: none is learned
    reason: Why = Field(sa_type=checked(Why, "reason"))
    decisions: int
    low_reviewed: int
    low_approved: int
    high_reviewed: int
    high_rejected: int


QUERIES: Queries = load("coach_trust.sql")
