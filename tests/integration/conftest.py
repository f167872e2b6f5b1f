"""What integration tests share: a home and a club of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from database.engine import connect
from tests.integration.stored_rows import Rows


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder of its own."""
    return tmp_path / "home"


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    """A club in a database of its own, and the means to write more into it."""
    engine = connect(database_url)
    made = Rows(engine)
    made.club()
    yield made
    engine.dispose()
