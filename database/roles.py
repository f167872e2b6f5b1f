"""Reading for one organisation: a role that row-level security lets see nothing of any other."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from core.errors import NotReady

READER = "touchline_reader"  # NOLOGIN; made by migration 0008, one for all databases of a server
BECOME_READER = sa.text(
    "SELECT set_config('role', :reader, true), set_config('app.organization_id', :organization_id, true)"
)


def read_only_for(connection: sa.Connection, organization_id: str) -> None:
    """From here to the end of its transaction, let a connection see this organisation's rows and no others.

    Raises NotReady when the database's user may not become the reader.
    """
    with _told():
        connection.execute(BECOME_READER, {"reader": READER, "organization_id": organization_id})


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        refused = (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidParameterValue)
        if isinstance(error.orig, refused):
            raise NotReady(who_may_read()) from error
        raise


def who_may_read(user: str = "the user in DATABASE_URL") -> str:
    """Say what an administrator has to run when a database's user may not become the reader."""
    return (
        f"The database's user may not become {READER}, the role that reads for one organization. "
        f"An administrator of the server has to run once: CREATE ROLE {READER} NOLOGIN (unless it exists); "
        f"GRANT {READER} TO {user}"
    )
