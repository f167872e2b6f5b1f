"""What all tables share: named constraints, enumerations that the store enforces, exact money."""

from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import SQLModel

# Set before any table exists, so that every constraint has a name and `alembic check` stays clean.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = SQLModel.metadata

ID_LENGTH = 128  # longest id that a season may bring, in characters
Money = sa.Numeric(30, 12)  # US dollars; one cached token of the cheapest model in a batch is 5e-9
Share = sa.Numeric(7, 6)  # a ratio in 0..1


def checked(members: type[StrEnum], name: str) -> sa.Enum:
    """Return a text column type that the database itself keeps within the enumeration."""
    return sa.Enum(
        members,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=32,
        values_callable=lambda enum: [member.value for member in enum],
    )


def within(column: str, lowest: int, highest: int) -> sa.CheckConstraint:
    """Return a constraint that keeps a column in a closed range (NULL passes)."""
    return sa.CheckConstraint(f"{column} BETWEEN {lowest} AND {highest}", name=f"{column}_range")


def not_negative(*columns: str) -> tuple[sa.CheckConstraint, ...]:
    """Return one constraint for each column that must not go below zero (NULL passes)."""
    return tuple(sa.CheckConstraint(f"{column} >= 0", name=f"{column}_not_negative") for column in columns)


def follows_coach_key() -> sa.ForeignKey:
    """Return a reference to a coach that moves along when the coach's key changes."""
    return sa.ForeignKey("coach.id", onupdate="CASCADE")
