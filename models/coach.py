"""A coach, with the preferences that decide how and whether summaries are written."""

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from core.states import Tone
from models.base import ID_LENGTH, checked, not_negative, within
from models.sql import Queries, load


class Coach(SQLModel, table=True):
    """A coach of one club.

    `id` is the person key (`core.identity.person_key`); should the auth system set a `user_id` later,
    the key moves and everything that refers to it follows (ON UPDATE CASCADE).
    """

    __table_args__ = (*not_negative("approvals", "suppressions"), within("preferred_level", 0, 3))

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    auth_id: str = Field(max_length=ID_LENGTH, unique=True)  # the auth system's own id
    user_id: str | None = Field(default=None, max_length=ID_LENGTH)
    organization_id: str = Field(foreign_key="organization.id", max_length=ID_LENGTH, index=True)
    name: str
    tone: Tone = Field(default=Tone.WARM, sa_type=checked(Tone, "tone"))
    summaries_enabled: bool = True
    skip_sensitive: bool = False  # injury and behavior are then not summarised at all
    approvals: int = Field(default=0, sa_type=sa.Integer)
    suppressions: int = Field(default=0, sa_type=sa.Integer)
    preferred_level: int | None = None  # the coach's cap on automation


QUERIES: Queries = load("coach.sql")
