"""A guardian of a player: who may one day receive what is written."""

from sqlmodel import Field, SQLModel

from core.states import GuardianStatus
from models.base import ID_LENGTH, checked
from models.sql import Queries, load


class Guardian(SQLModel, table=True):
    """A guardian linked to one player; only an active, consented link ever receives anything."""

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    player_id: str = Field(foreign_key="player.id", max_length=ID_LENGTH, index=True)
    name: str | None = None
    email: str | None = None
    status: GuardianStatus = Field(
        default=GuardianStatus.PENDING,
        sa_type=checked(GuardianStatus, "status"),
    )
    consented: bool = False
    parental_responsibility: bool = False


QUERIES: Queries = load("guardian.sql")
