"""One row a run: when, how much, predicted and billed, and how near the floor."""

from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.states import Lane
from models.base import ID_LENGTH, Money, checked, not_negative
from models.sql import Queries, load


class SummaryRun(SQLModel, table=True):
    """A run of the flow; the figures are null until it has ended, and stay so when it was killed."""

    __tablename__ = "summary_run"
    __table_args__ = (
        *not_negative("insights", "calls", "billed_usd"),
        sa.Index("ix_summary_run_time", "lane", "started_at"),
        sa.Index("ix_summary_run_started", "started_at"),
    )

    run_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    lane: Lane = Field(sa_type=checked(Lane, "lane"))
    model: str
    organization_id: str | None = Field(default=None, max_length=ID_LENGTH)  # null: of all
    started_at: datetime
    ended_at: datetime | None = None
    insights: int | None = None  # that it claimed
    calls: int | None = None
    predicted_usd: Decimal | None = Field(default=None, sa_type=Money)
    billed_usd: Decimal | None = Field(default=None, sa_type=Money)
    uncached_usd: Decimal | None = Field(default=None, sa_type=Money)
    floor_usd: Decimal | None = Field(default=None, sa_type=Money)
    # The same insights, dearest first: each in a call of its own, uncached; the same, cached; in packs, live.
    alone_uncached_usd: Decimal | None = Field(default=None, sa_type=Money)
    alone_cached_usd: Decimal | None = Field(default=None, sa_type=Money)
    packed_usd: Decimal | None = Field(default=None, sa_type=Money)
    efficiency: Decimal | None = Field(default=None, sa_type=sa.Numeric(9, 6))
    stopped: str | None = None  # why, when it did not drain what was due


QUERIES: Queries = load("summary_run.sql")
