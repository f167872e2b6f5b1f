"""A club."""

from sqlmodel import Field, SQLModel

from models.base import ID_LENGTH


class Organization(SQLModel, table=True):
    """A club; its time zone is the one in which its people read days."""

    id: str = Field(primary_key=True, max_length=ID_LENGTH)
    name: str
    timezone: str = "UTC"  # IANA name
