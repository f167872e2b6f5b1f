"""Message batches as we have sent them, and what each of their items asks about."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlmodel import Field, SQLModel

from core.states import BatchKind, BatchState
from models.base import ID_LENGTH, checked, not_negative
from models.sql import Queries, load

_UNFINISHED = sa.text("state IN ('sent', 'open')")


class MessageBatch(SQLModel, table=True):
    """A batch, written down with its items before the API is asked to create it.

    Until `vendor_id` is known nobody can say whether the API has it: up to `sent_until` its sender may still
    hear so. Whoever collects it holds `collector` until `collector_until`. `prefixes` tells the shared
    prefixes of its calls: `{key: [tokens, the key of the one before or null]}`.
    """

    __tablename__ = "message_batch"
    __table_args__ = (
        *not_negative("requests", "stage"),
        sa.CheckConstraint("state <> 'open' OR vendor_id IS NOT NULL", name="open_has_vendor_id"),
        sa.CheckConstraint("(collector IS NULL) = (collector_until IS NULL)", name="collector_has_lease"),
        sa.Index("ix_message_batch_unfinished", "account", "created_at", postgresql_where=_UNFINISHED),
        sa.Index("ix_message_batch_time", "created_at", "batch_id"),
        sa.Index("ix_message_batch_run", "run_id"),
        sa.Index("uq_message_batch_vendor", "account", "vendor_id", unique=True),
    )

    batch_id: str = Field(primary_key=True, max_length=ID_LENGTH)  # ours
    vendor_id: str | None = Field(default=None, max_length=ID_LENGTH)
    run_id: str = Field(max_length=ID_LENGTH)
    account: str = Field(max_length=ID_LENGTH)  # address and key: nobody else can ask about it
    model: str
    kind: BatchKind = Field(sa_type=checked(BatchKind, "kind"))
    stage: int  # of priming, from 1; 0 for a main batch
    state: BatchState = Field(sa_type=checked(BatchState, "state"))
    requests: int
    prefixes: dict[str, Any] = Field(sa_type=pg.JSONB)
    created_at: datetime
    sent_until: datetime
    due_at: datetime  # when it is canceled, for the live lane to do what it has not answered
    opened_at: datetime | None = None
    canceled_at: datetime | None = None
    cancel_reason: str | None = None
    ended_at: datetime | None = None
    collected_at: datetime | None = None
    collector: str | None = Field(default=None, max_length=ID_LENGTH)
    collector_until: datetime | None = None


class BatchItem(SQLModel, table=True):
    """One call in a batch; its attempt id is the item's `custom_id`. Its state is the ledger's."""

    __tablename__ = "batch_item"
    __table_args__ = (
        *not_negative(
            "front_tokens",
            "predicted_input_tokens",
            "predicted_read_tokens",
            "predicted_write_tokens",
            "predicted_output_tokens",
        ),
        sa.Index("ix_batch_item_batch", "batch_id"),
    )

    attempt_id: str = Field(primary_key=True, foreign_key="ai_usage_log.attempt_id", max_length=ID_LENGTH)
    batch_id: str = Field(foreign_key="message_batch.batch_id", max_length=ID_LENGTH)
    insight_ids: list[str] = Field(sa_type=sa.ARRAY(sa.Text()))  # in the order of the notes
    packed: bool
    prefix_key: str  # of the longest shared prefix
    marked: int  # so many of the shared prefixes the deepest marker covers
    front_tokens: int  # of everything before the notes, as planned
    predicted_input_tokens: int
    predicted_read_tokens: int
    predicted_write_tokens: int  # for an hour
    predicted_output_tokens: int


QUERIES: Queries = load("message_batch.sql")
