"""What tests share: databases of their own on real servers, an emulator. All that is started is stopped."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.engine import make_url

from database import embedded, migrate
from examples.generate import Season, write_season
from tests.integration.emulator_process import RunningEmulator, running_emulator
from tests.integration.packaged_postgres import newest_packaged, running_packaged
from tests.integration.server_folder import server_folder

# A test that used a developer's own key or database would be a disaster.
for name in [name for name in os.environ if name.startswith(("ANTHROPIC_", "TOUCHLINE_", "DATABASE_URL"))]:
    del os.environ[name]

# What a shell starts in the background ignores Ctrl-C, and so would all commands that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[str]:
    """The URL of an embedded server that gives up durability for speed."""
    with server_folder("embedded") as home:
        with embedded.attached(home, test_mode=True) as url:
            yield url
        embedded.reset(home)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run integration tests on every PostgreSQL there is, all others on the embedded one."""
    if "server" in metafunc.fixturenames:
        everywhere = "integration" in metafunc.definition.path.parts and newest_packaged()
        servers = ["embedded", "packaged"] if everywhere else ["embedded"]
        metafunc.parametrize("server", servers, indirect=True, scope="session")


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The server that databases are made on: the embedded one, or Debian's where it is installed."""
    if request.param == "embedded":
        yield request.getfixturevalue("embedded_server")
        return
    binaries = newest_packaged()
    assert binaries is not None
    with running_packaged(binaries) as url:
        yield url


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[str]:
    """The name of a migrated database to copy."""
    with fresh_database(server) as url:
        migrate.upgrade(url)
        yield str(make_url(url).database)


@pytest.fixture
def database_url(server: str, template: str) -> Iterator[str]:
    """The URL of a migrated, empty database."""
    with fresh_database(server, template) as url:
        yield url


@pytest.fixture
def empty_database_url(server: str) -> Iterator[str]:
    """The URL of a database that was never migrated."""
    with fresh_database(server) as url:
        yield url


@contextmanager
def fresh_database(server: str, template: str = "template1") -> Iterator[str]:
    """Make a database on the server, and drop it whoever is still connected."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        try:
            yield make_url(server).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


@pytest.fixture(scope="session")
def emulator_process() -> Iterator[RunningEmulator]:
    """An emulator on a free port that answers at once and has no limits."""
    with running_emulator("--latency", "off", "--tier", "unlimited") as running:
        yield running


@pytest.fixture
def emulator(emulator_process: RunningEmulator) -> RunningEmulator:
    """That emulator, as good as new."""
    emulator_process.reset()
    return emulator_process


@pytest.fixture(scope="session")
def season(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A season like the example, a third of its size."""
    folder = tmp_path_factory.mktemp("season")
    write_season(folder, Season(insights=200, players=60, coaches=8, organizations=2))
    return folder
