"""What is left of the API's rate limits, shared by all workers of one account."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.base import ID_LENGTH
from models.sql import Queries, load


class RateLimit(SQLModel, table=True):
    """One bucket, of one kind of limit of one model; filled and drawn by `core.limits`."""

    __tablename__ = "rate_limit"
    __table_args__ = (sa.CheckConstraint("per_minute > 0", name="per_minute_positive"),)

    account: str = Field(primary_key=True, max_length=ID_LENGTH)
    model: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)  # requests, input_tokens, output_tokens
    per_minute: int = Field(sa_type=sa.BigInteger)  # as the API's headers told last
    level: float  # below zero when a call has overdrawn it
    level_at: datetime
    blocked_until: datetime | None = None  # the API has asked everybody to wait until then


QUERIES: Queries = load("rate_limit.sql")
