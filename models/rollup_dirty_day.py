"""Days whose rows have changed since their rollup was published."""

from datetime import date

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.states import RollupSubject
from models.base import checked


class RollupDirtyDay(SQLModel, table=True):
    """One mark per subject, UTC day and database session (`writer`), counted up by every write.

    Triggers do it, in the transaction that writes. A ledger row marks its own day and, when it comes before
    attempts of the same call on other days, theirs too: they no longer open the call. An insight or a
    summary marks the day of its creation. A row of its own for each session keeps writers from waiting for
    each other; whoever recomputes a day clears only the marks whose count it has read, so a write that came
    later stays marked.
    """

    __tablename__ = "rollup_dirty_day"

    subject: RollupSubject = Field(primary_key=True, sa_type=checked(RollupSubject, "subject"))
    utc_day: date = Field(primary_key=True)
    writer: int = Field(primary_key=True, sa_type=sa.Integer)
    marks: int = Field(sa_type=sa.BigInteger)
