"""What every usage rollup adds up, and where a rollup stands before it is published."""

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.base import ID_LENGTH, Money, metadata, not_negative

COUNTS = (
    "calls",
    "attempts",
    "adjustments",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "hit_rates",
)
SUMS = (*COUNTS, "hit_rates_sum", "cost_usd", "saved_usd")


class UsageSums(SQLModel):
    """Sums over ledger rows; ratios are made when they are read.

    `calls` are logical calls, counted where their first attempt is; `attempts` are requests, whatever their
    outcome; `adjustments` are rows that are neither. `cost_usd` takes the estimate of what is not settled.
    `saved_usd` is what the answered and paid rows would have cost live at full input price, less what they
    did cost: below zero where writing to the cache did not pay.
    """

    calls: int = Field(sa_type=sa.BigInteger)
    attempts: int = Field(sa_type=sa.BigInteger)
    adjustments: int = Field(sa_type=sa.BigInteger)
    input_tokens: int = Field(sa_type=sa.BigInteger)  # the uncached part
    cache_read_tokens: int = Field(sa_type=sa.BigInteger)
    cache_write_5m_tokens: int = Field(sa_type=sa.BigInteger)
    cache_write_1h_tokens: int = Field(sa_type=sa.BigInteger)
    output_tokens: int = Field(sa_type=sa.BigInteger)
    hit_rates: int = Field(sa_type=sa.BigInteger)  # rows that have a hit rate
    hit_rates_sum: Decimal = Field(sa_type=sa.Numeric(20, 6))  # of those rows, each in 0..1
    cost_usd: Decimal = Field(sa_type=Money)
    saved_usd: Decimal = Field(sa_type=Money)


def counts_not_negative() -> tuple[sa.CheckConstraint, ...]:
    """Return the constraints that all usage rollups have."""
    return not_negative(*COUNTS)


def staged(rollup: sa.Table) -> sa.Table:
    """Return the table in which the rows of a rollup wait, run by run, until they are checked and published.

    It refuses nothing, so that a wrong row is found by the checks and shown, not lost with an error; it is
    not logged, because after a crash of the server it is built again; and it has no index, because it is
    empty but for the runs that are at work.
    """
    name = rollup.name.replace("rollup_", "staged_", 1)
    return sa.Table(
        name,
        metadata,
        sa.Column("run_id", sa.String(ID_LENGTH), nullable=False),
        *(sa.Column(column.name, _unchecked(column.type)) for column in rollup.columns),
        prefixes=["UNLOGGED"],
    )


def _unchecked(kind: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    return sa.String() if isinstance(kind, sa.Enum) else kind
