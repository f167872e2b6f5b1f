"""What happened to summaries: one row each time, for ever, and never a word of a text."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.states import Feedback, InjuryTick, Override, SummaryEvent, SummaryState
from models.base import ID_LENGTH, checked
from models.sql import Queries, load

ACTOR_RULES = "rules"  # who decides about a new summary, and delivers


class SummaryEventRow(SQLModel, table=True):
    """One event. A trigger refuses to alter or remove it, and there is no foreign key.

    So erasing a person, with summaries and names, leaves the events.
    """

    __tablename__ = "summary_event"
    __table_args__ = (
        sa.Index("ix_summary_event_summary", "summary_id", "id"),
        sa.Index(
            "ix_summary_event_time",
            "at",
            postgresql_where=sa.text("event IN ('approve', 'suppress', 'revoke', 'deliver')"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=sa.BigInteger)
    summary_id: str = Field(max_length=ID_LENGTH)
    at: datetime
    actor: str = Field(max_length=ID_LENGTH)  # a person's key as it was then, or ACTOR_RULES
    event: SummaryEvent = Field(sa_type=checked(SummaryEvent, "event"))
    from_state: SummaryState | None = Field(default=None, sa_type=checked(SummaryState, "from_state"))
    to_state: SummaryState = Field(sa_type=checked(SummaryState, "to_state"))
    feedback: Feedback | None = Field(default=None, sa_type=checked(Feedback, "feedback"))
    override: Override | None = Field(default=None, sa_type=checked(Override, "override"))
    ticks: list[InjuryTick] = Field(
        default_factory=list, sa_type=sa.ARRAY(sa.Text()), sa_column_kwargs={"server_default": "{}"}
    )


QUERIES: Queries = load("summary_event.sql")
