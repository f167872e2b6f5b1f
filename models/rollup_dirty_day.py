"""Days whose ledger rows have changed since their rollup was published."""

from datetime import date

import sqlalchemy as sa
from sqlmodel import Field, SQLModel


class RollupDirtyDay(SQLModel, table=True):
    """One mark per UTC day and database session (`writer`), counted up by every ledger write.

    A row of its own for each session keeps writers from waiting for each other; whoever recomputes a
    day clears only the marks whose count it has read, so a write that came later stays marked.
    """

    __tablename__ = "rollup_dirty_day"

    utc_day: date = Field(primary_key=True)
    writer: int = Field(primary_key=True, sa_type=sa.Integer)
    marks: int = Field(sa_type=sa.BigInteger)
