"""A player: a child, so nothing here but first name and age group may reach a prompt."""

from datetime import date

from sqlmodel import Field, SQLModel

from models.base import ID_LENGTH
from models.sql import Queries, load


class Player(SQLModel, table=True):
    """A player of one club."""

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    organization_id: str = Field(foreign_key="organization.id", max_length=ID_LENGTH, index=True)
    first_name: str
    last_name: str | None = None  # never sent to the model
    date_of_birth: date | None = None  # never sent to the model; an age group is
    age_group: str | None = None
    sport: str  # a code that core/prompts/sports has a sheet for
    team: str | None = None
    position: str | None = None


QUERIES: Queries = load("player.sql")
