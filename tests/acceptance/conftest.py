"""A Prefect server and an emulator for the session; a database, a home and a clean meter for each test."""

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from core.prompt import sports
from database.engine import connect
from tasks.season import ingest
from tests.integration.emulator_process import RunningEmulator


@pytest.fixture(scope="session", autouse=True)
def prefect_server() -> Iterator[str]:
    """One temporary Prefect server; gives the address of its API."""
    from prefect.settings import get_current_settings
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield str(get_current_settings().api.url)


@pytest.fixture
def emulator_url(emulator: RunningEmulator) -> str:
    """Where the emulator is, as good as new."""
    return emulator.base_url


class ShiftedClock:
    """The system's time moved by a settable amount; sleeping moves it on, and lets others work meanwhile."""

    def __init__(self) -> None:
        self.shift = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    async def sleep(self, seconds: float) -> None:
        self.shift += timedelta(seconds=seconds)
        await asyncio.sleep(0)


@dataclass
class World:
    """All that one test has for itself."""

    engine: sa.Engine
    database_url: str
    home: Path
    emulator_url: str
    season: Path
    clock: ShiftedClock

    def load(self, *, insights: int | None = None) -> list[str]:
        """Ingest the example season, or its first insights of coaches without switches; gives their ids."""
        ingest(self.engine, self.season, home=self.home, sports=frozenset(sports()), now=self.clock.now())
        if insights is not None:
            self.execute(
                "DELETE FROM insight WHERE id NOT IN (SELECT insight.id FROM insight"
                " JOIN coach ON coach.id = coach_id WHERE summaries_enabled AND NOT skip_sensitive"
                " ORDER BY insight.id LIMIT :n)",
                n=insights,
            )
        return [row["id"] for row in self.rows("SELECT id FROM insight ORDER BY id")]

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """Run a query; gives its rows."""
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.text(query), values).mappings()]

    def execute(self, statement: str, **values: Any) -> None:
        """Run a statement and commit it."""
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    def states(self) -> dict[str, int]:
        """Count the insights by state."""
        counts = self.rows("SELECT state, count(*) AS n FROM insight GROUP BY state ORDER BY state")
        return {row["state"]: row["n"] for row in counts}

    def ledger(self) -> list[dict[str, Any]]:
        """Give all ledger rows in the order they were sent."""
        return self.rows("SELECT * FROM ai_usage_log ORDER BY occurred_at, attempt_id")

    def admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call the emulator's admin interface."""
        request = urllib.request.Request(
            f"{self.emulator_url}/_emulator/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            told: dict[str, Any] = json.loads(answer.read() or b"{}")
        return told

    def meter(self) -> dict[str, Any]:
        """Give what the emulator has billed."""
        return self.admin("GET", "meter")

    def fault(self, **fault: Any) -> None:
        """Tell the emulator to misbehave."""
        self.admin("POST", "faults", fault)


@pytest.fixture
def world(
    database_url: str, emulator_url: str, season: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """A migrated database, a home, an emulator that forgot everything, and an environment that says so."""
    engine = connect(database_url)
    made = World(engine, database_url, tmp_path / "home", emulator_url, season, ShiftedClock())
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", emulator_url)
    monkeypatch.setenv("TOUCHLINE_HOME", str(made.home))
    yield made
    engine.dispose()
