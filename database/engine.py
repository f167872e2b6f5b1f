"""How a command or a flow gets to the database: the embedded server, or the one in DATABASE_URL."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from core.errors import BadInput, NotReady
from core.settings import Settings
from database import embedded, migrate
from database.migrate import IMPATIENT, psycopg_url

OLDEST_SERVER = 150000  # PostgreSQL 15, as the server counts versions


@dataclass(frozen=True, slots=True)
class Database:
    """A database that answers: where it is, and whether it is ours alone."""

    url: str
    embedded: bool

    @property
    def shown_url(self) -> str:
        """The address without its password."""
        return make_url(self.url).render_as_string(hide_password=True)


@contextmanager
def database(settings: Settings, *, must_be_current: bool = True) -> Iterator[Database]:
    """Give the database for as long as the block lasts; the embedded server runs at least that long.

    A new embedded database is migrated at once. Raises NotReady, with the next step, when the server
    cannot be reached, is too old, or stands at another migration (unless `must_be_current` is False).
    """
    if settings.database_url is not None:
        found = Database(server_url(settings.database_url.get_secret_value()), embedded=False)
        check_server(found, must_be_current)
        yield found
        return
    with embedded.attached(settings.home) as url:
        found = Database(url, embedded=True)
        if must_be_current and migrate.current(found.url) is None:
            migrate.upgrade(found.url)
        check_server(found, must_be_current)
        yield found


def server_url(given: str) -> str:
    """Normalise a DATABASE_URL; raises BadInput when it is not one for PostgreSQL."""
    try:
        url = make_url(given)
    except ArgumentError as error:
        raise BadInput(
            "DATABASE_URL is not a URL; write postgresql://user:password@host:5432/name"
        ) from error
    if url.drivername not in {"postgres", "postgresql", "postgresql+psycopg"}:
        raise BadInput(f"DATABASE_URL must begin with postgresql://, not {url.drivername}://")
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def check_server(found: Database, must_be_current: bool) -> None:
    """Raise NotReady unless the server answers, is new enough, and stands at our migration."""
    try:
        version = migrate.server_version(found.url)
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0] if error.orig else "no answer"
        raise NotReady(
            f"The database at {found.shown_url} cannot be reached: {reason}. "
            "Start it, correct DATABASE_URL, or unset DATABASE_URL to use the embedded one."
        ) from error
    if version < OLDEST_SERVER:
        raise NotReady(f"PostgreSQL 15 or newer is needed; {found.shown_url} is version {version // 10000}.")
    if must_be_current:
        migrate.require_head(found.url)


def connect(url: str) -> sa.Engine:
    """Return an engine for commands and analytics; its errors quote no parameters, and so no texts."""
    _keep_rows_out_of_logs()
    return sa.create_engine(
        psycopg_url(url), pool_pre_ping=True, hide_parameters=True, connect_args=IMPATIENT
    )


def connect_async(url: str, connections: int = 10) -> AsyncEngine:
    """Return an engine for a flow; create it inside the running loop."""
    _keep_rows_out_of_logs()
    return create_async_engine(
        psycopg_url(url), pool_size=connections, max_overflow=0, hide_parameters=True, connect_args=IMPATIENT
    )


def _keep_rows_out_of_logs() -> None:
    """Whatever the logs are set to, they never tell the rows that are read: some hold a child's."""
    logger = logging.getLogger("sqlalchemy.engine")
    logger.setLevel(max(logging.INFO, logger.getEffectiveLevel()))
