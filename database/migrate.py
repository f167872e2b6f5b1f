"""Which migration a database stands at, and how it gets to ours."""

from importlib.resources import files

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.pool import NullPool

from core.errors import NotReady

IMPATIENT = {"connect_timeout": 10}  # seconds; a host that says nothing is a database that is away


def config(url: str) -> Config:
    """Return Alembic's configuration for a database; there is no alembic.ini."""
    made = Config()
    made.set_main_option("script_location", str(files("database").joinpath("migrations")))
    made.attributes["url"] = url
    return made


def psycopg_url(url: str) -> sa.URL:
    """Return a server's address as SQLAlchemy 2.0 wants it, which takes an older driver for granted."""
    return sa.make_url(url).set(drivername="postgresql+psycopg")


def engine(url: str) -> sa.Engine:
    """Return an engine that keeps no connection open."""
    return sa.create_engine(psycopg_url(url), poolclass=NullPool, connect_args=IMPATIENT)


def head() -> str:
    """Return the revision that this code expects."""
    revision = ScriptDirectory.from_config(config("")).get_current_head()
    assert revision is not None, "the migrations folder is empty"
    return revision


def current(url: str) -> str | None:
    """Return the revision that the database stands at, None when it was never migrated."""
    with engine(url).connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def server_version(url: str) -> int:
    """Return the server's version as it counts itself (150004 is 15.4)."""
    with engine(url).connect() as connection:
        return int(connection.execute(sa.text("SHOW server_version_num")).scalar_one())


def upgrade(url: str) -> None:
    """Bring the database to our revision; concurrent upgrades wait for each other."""
    command.upgrade(config(url), "head")


def downgrade(url: str) -> None:
    """Take all tables away, and everything in them."""
    command.downgrade(config(url), "base")


def check(url: str) -> None:
    """Raise alembic's error when the models say something that the migrations do not."""
    command.check(config(url))


def require_head(url: str) -> None:
    """Raise NotReady, with the next step, unless the database stands at our revision."""
    found, expected = current(url), head()
    if found == expected:
        return
    known = {script.revision for script in ScriptDirectory.from_config(config(url)).walk_revisions()}
    if found is None or found in known:
        raise NotReady(
            f"The database stands at migration {found or 'none'}, this version needs {expected}. "
            "Run: touchline db upgrade"
        )
    raise NotReady(
        f"The database stands at migration {found}, which this version does not know (it has {expected}). "
        "It was migrated by a newer Touchline: install that one."
    )
