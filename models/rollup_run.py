"""Runs of the nightly rollup, and what each of them has published."""

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from models.base import ID_LENGTH, metadata, not_negative
from models.sql import Queries, load
from models.usage_sums import COUNTS


class RollupRun(SQLModel, table=True):
    """One try of a run; without an end it was killed, and what it has staged is removed by a later one.

    `staged_rows` are the rows that it has staged, by table: staging is not logged, so that they are counted
    again before they are published.
    """

    __tablename__ = "rollup_run"

    run_id: str = Field(primary_key=True, max_length=ID_LENGTH)
    flow_run_id: str = Field(max_length=ID_LENGTH)
    started_at: datetime
    ended_at: datetime | None = None
    days: list[date] = Field(sa_type=sa.ARRAY(sa.Date()))  # that it took, UTC
    staged_rows: dict[str, int] = Field(sa_type=JSONB)
    published: bool = False


class RollupDay(SQLModel, table=True):
    """A day as it was last published: which run did it tells others whether theirs is out of date.

    A ledger only grows, so a day that has fewer rows than were published has lost some. What caching saved is
    by the price list of `price_version`; with another list the day is rolled up again.
    """

    __tablename__ = "rollup_day"
    __table_args__ = not_negative("ledger_rows")

    utc_day: date = Field(primary_key=True)
    run_id: str = Field(max_length=ID_LENGTH)
    published_at: datetime
    price_version: str
    ledger_rows: int = Field(sa_type=sa.BigInteger)


# The ledger's own sums of each day, read in the same snapshot as the rollups, without any of their joins.
STAGED_LEDGER_DAY = sa.Table(
    "staged_ledger_day",
    metadata,
    sa.Column("run_id", sa.String(ID_LENGTH), nullable=False),
    sa.Column("utc_day", sa.Date()),
    *(sa.Column(name, sa.BigInteger()) for name in COUNTS),
    sa.Column("hit_rates_sum", sa.Numeric(20, 6)),
    sa.Column("cost_usd", sa.Numeric(30, 12)),
    prefixes=["UNLOGGED"],
)

# Ledger rows whose cost is not what the price list makes of their tokens.
STAGED_PRICE_GAP = sa.Table(
    "staged_price_gap",
    metadata,
    sa.Column("run_id", sa.String(ID_LENGTH), nullable=False),
    sa.Column("utc_day", sa.Date()),
    sa.Column("attempt_id", sa.String(ID_LENGTH)),
    sa.Column("organization_id", sa.String(ID_LENGTH)),
    sa.Column("model", sa.String()),
    sa.Column("outcome", sa.String()),
    sa.Column("cost_usd", sa.Numeric(30, 12)),
    sa.Column("allowed_usd", sa.Numeric(30, 12)),  # null: the list has no price for it
    sa.Column("price_version", sa.String()),
    sa.Column("same_list", sa.Boolean()),  # priced with the list that this version has
    prefixes=["UNLOGGED"],
)

QUERIES: Queries = load("rollup_run.sql")
