"""How many tokens shared layers have, as the API counted them, and what usage has taught of other texts."""

from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.sql import Queries, load


class TokenCount(SQLModel, table=True):
    """A text's length for one model, counted once; named by `core.measured.text_key`, or `frame:...`."""

    __tablename__ = "token_count"
    __table_args__ = (sa.CheckConstraint("tokens >= 0", name="tokens_not_negative"),)

    model: str = Field(primary_key=True)
    text_key: str = Field(primary_key=True)
    tokens: int
    counted_at: datetime


class TokenRatio(SQLModel, table=True):
    """Tokens per unit for one model: of `text` (a character), or of an answer in one tone (an insight).

    Both are sums; they are halved when they have grown large, so that the newer usage counts more.
    """

    __tablename__ = "token_ratio"
    __table_args__ = (sa.CheckConstraint("units > 0", name="units_positive"),)

    model: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)  # text, answer/warm, ...
    units: Decimal = Field(sa_type=sa.Numeric(20, 3))
    tokens: Decimal = Field(sa_type=sa.Numeric(20, 3))


QUERIES: Queries = load("token_count.sql")
