"""Integration tests run on the embedded PostgreSQL, and on Debian's where it is installed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.packaged_postgres import newest_packaged, running_packaged

SERVERS = ["embedded"] + (["packaged"] if newest_packaged() else [])


@pytest.fixture(scope="session", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server after the other; every test that needs a database runs on each."""
    if request.param == "embedded":
        yield request.getfixturevalue("embedded_server")
    else:
        binaries = newest_packaged()
        assert binaries is not None
        with running_packaged(binaries) as url:
            yield url


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder of its own."""
    return tmp_path / "home"
