"""What became of each day's insights and summaries."""

from datetime import date

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.states import OutcomeSubject
from models.base import ID_LENGTH, checked, not_negative
from models.usage_sums import staged


class RollupOutcomeDay(SQLModel, table=True):
    """How many that were created on a day are in which state by now, and how they were decided.

    `decision` is empty for insights, about which nothing is decided.
    """

    __tablename__ = "rollup_outcome_day"
    __table_args__ = not_negative("number")

    utc_day: date = Field(primary_key=True)
    organization_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    local_day: date = Field(primary_key=True)
    subject: OutcomeSubject = Field(primary_key=True, sa_type=checked(OutcomeSubject, "subject"))
    state: str = Field(primary_key=True)
    decision: str = Field(primary_key=True)
    number: int = Field(sa_type=sa.BigInteger)


STAGED = staged(RollupOutcomeDay.__table__)  # type: ignore[attr-defined]
