"""Which prompt prefixes are in the vendor's cache, until when, and who is writing one right now."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.base import ID_LENGTH
from models.sql import Queries, load


class CachePrefix(SQLModel, table=True):
    """One prefix of one account (address and key); shared by all workers, so that one of them leads.

    `leader` may write it until `leader_until`; whoever finds that passed takes its place.
    """

    __tablename__ = "cache_prefix"
    __table_args__ = (
        sa.CheckConstraint("(leader IS NULL) = (leader_until IS NULL)", name="leader_has_lease"),
        sa.CheckConstraint("ttl IN ('5m', '1h')", name="ttl"),
        sa.Index("ix_cache_prefix_leader", "leader"),
    )

    account: str = Field(primary_key=True, max_length=ID_LENGTH)
    key: str = Field(primary_key=True)  # names the bytes of the prompt up to its end
    ttl: str  # the lifetime that it was, or is being, written with
    warm_until: datetime | None = None  # null: never written
    leader: str | None = Field(default=None, max_length=ID_LENGTH)
    leader_until: datetime | None = None


QUERIES: Queries = load("cache_prefix.sql")
