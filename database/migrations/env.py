"""Alembic's entry: run the migrations in one transaction, one runner at a time."""

import sqlalchemy as sa
from alembic import context

from database.migrate import engine
from models.tables import metadata

ADVISORY_LOCK = 7_010_220_261  # any number that is always the same


def run() -> None:
    """Migrate, or compare, the database that the configuration names."""
    with engine(context.config.attributes["url"]).connect() as connection, connection.begin():
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ADVISORY_LOCK})
        context.configure(connection=connection, target_metadata=metadata, compare_server_default=True)
        context.run_migrations()


run()
