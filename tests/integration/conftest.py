"""What integration tests share: a home of their own, and an emulator."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.emulator_process import RunningEmulator, running_emulator


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder of its own."""
    return tmp_path / "home"


@pytest.fixture(scope="session")
def emulator_process() -> Iterator[RunningEmulator]:
    """An emulator that answers at once and has no limits."""
    with running_emulator("--latency", "off", "--tier", "unlimited") as running:
        yield running


@pytest.fixture
def emulator(emulator_process: RunningEmulator) -> RunningEmulator:
    """That emulator, as good as new."""
    emulator_process.reset()
    return emulator_process
