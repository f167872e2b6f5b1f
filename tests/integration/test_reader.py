"""Who reads for one organisation sees no other, whatever is asked, and writes nothing."""

import importlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError

from core.errors import NotReady
from database import migrate
from database.engine import connect
from database.roles import READER, read_only_for
from models.tables import metadata
from tasks.analytics import cache_report, coach_usage, org_usage, player_usage, read_usage
from tasks.usage_sources import reading_for
from tests.conftest import fresh_database
from tests.integration.rolled_up import rolled_up
from tests.integration.stored_rows import AT, Rows

MARCH = date(2026, 3, 1), date(2026, 4, 1)
OF_ONE = [
    "organization",
    "coach",
    "player",
    "ai_usage_log",
    "rollup_organization_day",
    "rollup_coach_day",
    "rollup_player_day",
    "summary_run",
]
OF_NOBODY = ["rollup_dirty_day", "rollup_day", "prompt", "token_count"]

Statement = tuple[str, Any]


@pytest.fixture
def two_clubs(rows: Rows) -> Rows:
    """`club` and `other`, each with a day that is published, and one that is not."""
    rows.club("other")
    for club in ("club", "other"):
        rows.attempt(club, flow_run_id=f"run of {club}")
    rolled_up(rows.engine.url.render_as_string(hide_password=False))
    for club in ("club", "other"):
        rows.attempt(club, occurred_at=AT.replace(day=20))
    with rows.engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO summary_run (run_id, lane, model, organization_id, started_at) VALUES"
                " ('run of all', 'live', 'm', NULL, :at), ('run of other', 'live', 'm', 'other', :at)"
            ),
            {"at": AT},
        )
    return rows


@contextmanager
def as_reader(rows: Rows, organization_id: str | None = None) -> Iterator[sa.Connection]:
    with rows.engine.connect() as connection:
        connection.exec_driver_sql(f"SET LOCAL ROLE {READER}")
        if organization_id is not None:
            read_only_for(connection, organization_id)
        yield connection


def sent_by(rows: Rows, read: Callable[[], object]) -> list[Statement]:
    """The statements, with their parameters, that reading sends."""
    sent: list[Statement] = []

    def keep(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        sent.append((statement, parameters))

    sa.event.listen(rows.engine, "before_cursor_execute", keep)
    read()
    sa.event.remove(rows.engine, "before_cursor_execute", keep)
    return [(statement, parameters) for statement, parameters in sent if "set_config" not in statement]


READING: dict[str, Callable[[sa.Engine, str], object]] = {
    "org_usage": lambda engine, club: org_usage(engine, club, *MARCH),
    "coach_usage": lambda engine, club: coach_usage(engine, f"coach-{club}", *MARCH),
    "player_usage": lambda engine, club: player_usage(engine, f"player-{club}", *MARCH),
    "read_usage": lambda engine, club: read_usage(engine, *MARCH, club),
    "cache_report": lambda engine, club: cache_report(engine, *MARCH, club),
}


@pytest.mark.parametrize("name", READING)
def test_no_query_about_one_club_tells_anything_to_the_reader_of_another(two_clubs: Rows, name: str) -> None:
    statements = sent_by(two_clubs, lambda: READING[name](two_clubs.engine, "other"))
    assert len(statements) > 2
    wrong: tuple[str | None, ...] = ("club", "", None)
    for club in wrong:
        with as_reader(two_clubs, club) as connection:
            told = [tells(connection, statement) for statement in statements]
        assert not any(told), (club, statements[told.index(True)])
    with as_reader(two_clubs, "other") as connection:
        assert sum(tells(connection, statement) for statement in statements) >= 3


def tells(connection: sa.Connection, statement: Statement) -> bool:
    """Whether there is anything in the answer; a sum of nothing is 0, and marked days are everybody's."""
    if "FROM rollup_dirty_day" in statement[0]:
        return False
    found = connection.exec_driver_sql(*statement).all()
    figures = [value for row in found for value in row if isinstance(value, int | Decimal)]
    return any(figures) if figures else bool(found)


def test_the_reader_of_a_club_sees_its_rows_and_only_what_usage_needs(two_clubs: Rows) -> None:
    for table in metadata.sorted_tables:
        with as_reader(two_clubs, "other") as connection:
            granted = readable_columns(connection, table.name)
            assert bool(granted) == (table.name in OF_ONE + OF_NOBODY), table.name
            if table.name not in OF_ONE:
                continue
            column = "id" if table.name == "organization" else "organization_id"
            seen = connection.exec_driver_sql(f"SELECT DISTINCT {column} FROM {table.name}").scalars()  # noqa: S608
            assert list(seen) == ["other"], table.name
    for secret in ("first_name FROM player", "request_id FROM ai_usage_log", "approvals FROM coach"):
        with as_reader(two_clubs, "other") as connection, pytest.raises(ProgrammingError, match="permission"):
            connection.exec_driver_sql(f"SELECT {secret}")


def readable_columns(connection: sa.Connection, table: str) -> list[str]:
    asked = sa.text(
        "SELECT attname FROM pg_attribute WHERE attrelid = CAST(:name AS regclass) AND attnum > 0"
        " AND has_column_privilege(:reader, attrelid, attnum, 'SELECT')"
    )
    return list(connection.execute(asked, {"name": table, "reader": READER}).scalars())


def test_the_reader_writes_nothing(two_clubs: Rows) -> None:
    writes = [
        f"{verb} {table}{rest}"
        for table in OF_ONE + OF_NOBODY
        for verb, rest in (("DELETE FROM", ""), ("TRUNCATE", ""), ("INSERT INTO", " DEFAULT VALUES"))
    ]
    for write in writes:
        with as_reader(two_clubs, "club") as connection, pytest.raises(ProgrammingError, match="permission"):
            connection.exec_driver_sql(write)
    with pytest.raises(sa.exc.DBAPIError), reading_for(two_clubs.engine, "club") as connection:
        connection.exec_driver_sql("CREATE TEMPORARY TABLE mine (id integer)")


def test_a_connection_is_its_owners_again_once_the_reading_is_over(two_clubs: Rows) -> None:
    with reading_for(two_clubs.engine, "club") as connection:
        assert connection.exec_driver_sql("SELECT current_user").scalar_one() == READER
        used = connection.connection.dbapi_connection
    with two_clubs.engine.connect() as connection:
        assert connection.connection.dbapi_connection is used
        assert connection.exec_driver_sql("SELECT current_user").scalar_one() != READER
        assert connection.exec_driver_sql("SELECT count(*) FROM organization").scalar_one() == 2


def test_a_club_sees_no_run_but_its_own(two_clubs: Rows) -> None:
    """A run of all clubs has the figures of all clubs."""
    with as_reader(two_clubs, "other") as connection:
        assert connection.exec_driver_sql("SELECT run_id FROM summary_run").scalars().all() == [
            "run of other"
        ]
    with as_reader(two_clubs, "club") as connection:
        assert connection.exec_driver_sql("SELECT run_id FROM summary_run").scalars().all() == []


@pytest.fixture
def stranger(server: str) -> Iterator[str]:
    """The name and password of a user who may create no roles."""
    name = f"stranger_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'".encode())
        yield name
        connection.execute(f"DROP ROLE {name}".encode())


def test_who_may_make_no_roles_is_told_what_an_administrator_has_to_run(
    server: str, template: str, stranger: str
) -> None:
    assert template  # so that the server has the role
    with fresh_database(server) as owned, psycopg.connect(server, autocommit=True) as administrator:
        url = make_url(owned)
        administrator.execute(f'ALTER DATABASE "{url.database}" OWNER TO {stranger}'.encode())
        address = url.set(username=stranger, password=stranger).render_as_string(hide_password=False)
        with pytest.raises(NotReady, match=f"GRANT {READER} TO {stranger}"):
            migrate.upgrade(address)
        assert migrate.current(address) is None
        administrator.execute(f"GRANT {READER} TO {stranger}".encode())
        migrate.upgrade(address)
        engine = connect(address)
        rows = Rows(engine)
        rows.club()
        rows.attempt()
        assert org_usage(engine, "club", *MARCH)["calls"] == 1
        administrator.execute(f"REVOKE {READER} FROM {stranger}".encode())
        with pytest.raises(NotReady, match=f"GRANT {READER} TO"):
            org_usage(engine, "club", *MARCH)
        engine.dispose()


@pytest.fixture
def another_reader(server: str) -> Iterator[tuple[str, bytes, bytes]]:
    """The name of a role that is not there yet, and what the migration makes and grants it with."""
    migration = importlib.import_module("database.migrations.versions.0008_reader")
    name = f"reader_{uuid4().hex[:12]}"
    create, grant = migration.CREATE_READER, migration.GRANT_READER
    yield name, create.replace(READER, name).encode(), grant.replace(READER, name).encode()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP ROLE {name}".encode())


def test_databases_that_are_migrated_at_once_make_the_role_once(
    server: str, another_reader: tuple[str, bytes, bytes]
) -> None:
    _, create, grant = another_reader

    def migrate_one(_: int) -> None:
        with psycopg.connect(server) as connection:
            connection.execute(create)
            connection.execute(grant)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(migrate_one, range(16))) == [None] * 16


def test_a_user_who_may_make_roles_becomes_the_reader(
    server: str, stranger: str, another_reader: tuple[str, bytes, bytes]
) -> None:
    name, create, grant = another_reader
    with psycopg.connect(server, autocommit=True) as administrator:
        administrator.execute(f"ALTER ROLE {stranger} CREATEROLE".encode())
    url = make_url(server).set(username=stranger, password=stranger)
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(create)
        connection.execute(grant)
        connection.execute(f"SET ROLE {name}".encode())
        assert connection.execute("SELECT current_user").fetchone() == (name,)
    with psycopg.connect(server, autocommit=True) as administrator:  # what it granted goes before it does
        administrator.execute(f"DROP OWNED BY {stranger}".encode())
        administrator.execute(f"REVOKE {name} FROM {stranger} CASCADE".encode())


def test_taken_back_the_reader_reads_nothing(database_url: str) -> None:
    from alembic import command

    command.downgrade(migrate.config(database_url), "0007")
    with psycopg.connect(database_url) as connection:
        policies = connection.execute("SELECT count(*) FROM pg_policy").fetchone()
        secured = connection.execute("SELECT count(*) FROM pg_class WHERE relrowsecurity").fetchone()
        granted = connection.execute(
            "SELECT count(*) FROM information_schema.column_privileges WHERE grantee = %s", (READER,)
        ).fetchone()
    assert (policies, secured, granted) == ((0,), (0,), (0,))
    migrate.upgrade(database_url)


@pytest.fixture
def app_url(rows: Rows) -> Iterator[str]:
    """A database user who may work on every table, owns none, and may become the reader."""
    name = f"app_{uuid4().hex}"
    with rows.engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN PASSWORD 'app'")
        connection.exec_driver_sql(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}"
        )
        connection.exec_driver_sql(f"GRANT {READER} TO {name}")
        connection.exec_driver_sql(f"GRANT TEMPORARY ON DATABASE {rows.engine.url.database} TO {name}")
    url = rows.engine.url.set(username=name, password="app")
    yield url.render_as_string(hide_password=False)
    with rows.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {name}")
        connection.exec_driver_sql(f"DROP ROLE {name}")


def test_a_user_who_does_not_own_the_tables_works_on_all_of_them(two_clubs: Rows, app_url: str) -> None:
    expected = org_usage(two_clubs.engine, "club", *MARCH)
    engine = connect(app_url)
    try:
        assert org_usage(engine, "club", *MARCH) == expected
        assert len(rolled_up(app_url).days) == 1
        assert org_usage(engine, "club", *MARCH) == expected
        assert org_usage(two_clubs.engine, "club", *MARCH) == expected
        Rows(engine).attempt("other", attempt_id="written by another user")
        statements = sent_by(two_clubs, lambda: READING["org_usage"](two_clubs.engine, "other"))
        with engine.connect() as connection:
            read_only_for(connection, "club")
            assert not any(tells(connection, statement) for statement in statements)
    finally:
        engine.dispose()
