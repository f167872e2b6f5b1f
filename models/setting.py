"""What the platform and its clubs have chosen, and every change of it."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.base import ID_LENGTH
from models.sql import Queries, load


class Setting(SQLModel, table=True):
    """One value that was set; the names, and what counts where none is set, are in `core.club`."""

    __table_args__ = (
        sa.Index(
            "uq_setting_name", "organization_id", "name", unique=True, postgresql_nulls_not_distinct=True
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    organization_id: str | None = Field(
        default=None, foreign_key="organization.id", max_length=ID_LENGTH
    )  # null: the platform's
    name: str
    value: str
    changed_at: datetime


class SettingChange(SQLModel, table=True):
    """One change of a setting, for ever: a trigger refuses to alter or remove a row.

    No foreign key to the organization, so that a club's changes outlive it.
    """

    __tablename__ = "setting_change"

    id: int | None = Field(default=None, primary_key=True)
    changed_at: datetime
    organization_id: str | None = Field(default=None, max_length=ID_LENGTH)  # null: the platform's
    name: str
    old_value: str | None = None  # null: none was set
    new_value: str | None = None  # null: none is set any more
    changed_by: str  # the user of the machine that it was set on; of `tasks.trust` the coach


QUERIES: Queries = load("setting.sql")
