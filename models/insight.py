"""One observation about one player, and how far it is on its way to a summary."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.states import InsightState
from models.base import ID_LENGTH, checked, follows_coach_key, not_negative
from models.sql import Queries, load

_CLAIMABLE = sa.text("state IN ('pending', 'deferred')")
_CLAIMED = sa.text("state = 'claimed'")


class Insight(SQLModel, table=True):
    """An insight; `state_reason` says why it is deferred, skipped or parked.

    `claimed_by` and `lease_until` belong together: whoever holds a claim holds it until then. The
    `read_*` indexes serve the claim, the release of ended leases, and the lists.
    """

    __table_args__ = (
        sa.CheckConstraint(
            "(state = 'claimed') = (lease_until IS NOT NULL AND claimed_by IS NOT NULL)"
            " AND (lease_until IS NULL) = (claimed_by IS NULL)",
            name="claim_has_lease",
        ),
        *not_negative("unusable_answers"),
        sa.CheckConstraint("(state = 'deferred') = (not_before IS NOT NULL)", name="deferred_has_time"),
        sa.CheckConstraint(
            "state NOT IN ('deferred', 'skipped', 'parked') OR state_reason IS NOT NULL", name="reason_kept"
        ),
        sa.Index("ix_insight_claimable", "player_id", "created_at", postgresql_where=_CLAIMABLE),
        sa.Index("ix_insight_lease", "lease_until", postgresql_where=_CLAIMED),
        sa.Index("ix_insight_state", "state", "id"),
        sa.Index("ix_insight_coach", "coach_id", "state"),
        sa.Index("ix_insight_time", "created_at"),
    )

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    organization_id: str = Field(foreign_key="organization.id", max_length=ID_LENGTH, index=True)
    coach_id: str = Field(max_length=ID_LENGTH, sa_column_args=[follows_coach_key()])
    player_id: str = Field(foreign_key="player.id", max_length=ID_LENGTH)
    voice_note_id: str | None = None
    title: str  # 1..500 characters
    description: str  # 1..8,000 characters: the coach's private note, never shown to a parent
    category: str | None = None  # the extractor's own guess, any word
    sport: str | None = None  # when the note is about another sport than the player's main one
    urgent: bool = False
    created_at: datetime
    state: InsightState = Field(
        default=InsightState.PENDING,
        sa_type=checked(InsightState, "state"),
    )
    state_reason: str | None = None
    claimed_by: str | None = None  # who holds the lease: one run in one process
    lease_until: datetime | None = None
    not_before: datetime | None = None
    # A batch did not answer it in time: the live lane is to do it.
    missed_due: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
    # So many that batches have given: with one it is asked about alone, with two it is parked.
    unusable_answers: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


QUERIES: Queries = load("insight.sql")
