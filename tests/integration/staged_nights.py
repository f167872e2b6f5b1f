"""Nights as a run has staged them, put straight into the tables, and checked."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from core.pricing import price_version
from core.quality import CheckOutcome, QualityReport
from models import tables
from models.expectations import EXPECTATIONS
from models.usage_sums import SUMS
from tasks.quality import check_staged
from tests.integration.stored_rows import Rows

RUN = "0a-1"
DAY = date(2026, 3, 2)
TODAY = date(2026, 3, 3)
NOW = datetime(2026, 3, 3, 2, 30, tzinfo=UTC)
CHECKS = sum(map(len, EXPECTATIONS.values()))
NOTHING = dict.fromkeys(SUMS, 0)
PLAYER: Mapping[str, Any] = {
    "calls": 2,
    "attempts": 3,
    "adjustments": 0,
    "input_tokens": 100,
    "cache_read_tokens": 4000,
    "cache_write_5m_tokens": 10,
    "cache_write_1h_tokens": 20,
    "output_tokens": 140,
    "hit_rates": 2,
    "hit_rates_sum": Decimal("1.951219"),
    "cost_usd": Decimal("0.000123456789"),
    "saved_usd": Decimal("0.000200000001"),
}
CALLED = {
    "operation": "parent_summary",
    "model": "claude-haiku-5-5",
    "lane": "live",
    "service_tier": "standard",
}
OUTCOMES = (
    {"subject": "insight", "state": "summarized", "decision": "", "number": 3},
    {"subject": "insight", "state": "parked", "decision": "", "number": 1},
    {"subject": "summary", "state": "pending_review", "decision": "review", "number": 3},
)
GAP = {
    "attempt_id": "attempt-1",
    "organization_id": "club",
    "model": "claude-haiku-5-5",
    "outcome": "succeeded",
    "cost_usd": Decimal("0.000120000001"),
    "allowed_usd": Decimal("0.00012"),
    "price_version": "this",
    "same_list": True,
}


class Nights:
    """Stages nights and checks them. Tables are named without their `staged_`."""

    def __init__(self, url: str, rows: Rows) -> None:
        self.url = url
        self.rows = rows

    def stage(self, run_id: str = RUN, day: date = DAY, players: int = 3) -> None:
        """Stage one more day of a run: so many players of the club, sound in every figure."""
        take = (
            "INSERT INTO rollup_run (run_id, flow_run_id, started_at, days, staged_rows, published)"
            " VALUES (:run_id, :run_id, :now, ARRAY[CAST(:day AS date)], '{}', false)"
            " ON CONFLICT (run_id) DO UPDATE SET days = rollup_run.days || excluded.days"
        )
        self.execute(take, run_id=run_id, now=NOW, day=day)
        key = {"run_id": run_id, "utc_day": day}
        club = {**key, "organization_id": "club", "local_day": day}
        total = {name: value * players for name, value in PLAYER.items()}
        ids = [f"player-{number}" for number in range(players)]
        self.add("player_day", *({**club, "player_id": player_id, **PLAYER} for player_id in ids))
        self.add("coach_day", {**club, "coach_id": "coach-club", **total})
        self.add("organization_day", {**club, **CALLED, **total})
        self.add("platform_day", {**key, **CALLED, **total})
        ledger = {name: value for name, value in total.items() if name != "saved_usd"}
        self.add("ledger_day", {**key, **ledger})
        self.add("outcome_day", *({**club, **outcome} for outcome in OUTCOMES))

    def add(self, table: str, *rows: Mapping[str, Any]) -> None:
        """Stage rows; those without a key are of the usual run and day."""
        with self.rows.engine.begin() as connection:
            connection.execute(
                sa.insert(_staged(table)), [{"run_id": RUN, "utc_day": DAY, **row} for row in rows]
            )

    def change(self, table: str, values: Mapping[str, Any], **where: Any) -> None:
        """Change staged rows; an expression is given as `sa.text`."""
        with self.rows.engine.begin() as connection:
            changed = connection.execute(sa.update(_staged(table)).filter_by(**where).values(values))
            assert changed.rowcount

    def remove(self, table: str, **where: Any) -> None:
        """Remove staged rows."""
        with self.rows.engine.begin() as connection:
            assert connection.execute(sa.delete(_staged(table)).filter_by(**where)).rowcount

    def execute(self, statement: str, **values: Any) -> None:
        """Execute a statement and commit."""
        with self.rows.engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    def published(self, day: date, ledger_rows: int) -> None:
        """A day as it was published by an earlier run, with so many attempts."""
        day_row = {
            "utc_day": day,
            "run_id": "earlier",
            "published_at": NOW,
            "price_version": price_version(),
            "ledger_rows": ledger_rows,
        }
        self.rows.insert(tables.RollupDay, day_row)
        if ledger_rows:
            attempts = {"utc_day": day, **CALLED, **NOTHING, "attempts": ledger_rows}
            self.rows.insert(tables.RollupPlatformDay, attempts)

    def check(self, run_id: str = RUN, *, url: str | None = None, docs: Path | None = None) -> QualityReport:
        """Check a run."""
        return asyncio.run(check_staged.fn(url or self.url, run_id, today=TODAY, now=NOW, docs=docs))

    def kept(self, run_id: str = RUN) -> dict[tuple[str, str], Any]:
        """What the database keeps of a run's checks, by table and name."""
        table = tables.QualityCheck.__table__  # type: ignore[attr-defined]
        with self.rows.engine.connect() as connection:
            found = connection.execute(sa.select(table).where(table.c.run_id == run_id)).all()
        return {(row.staged_table.removeprefix("staged_"), row.name): row for row in found}


def complaints(report: QualityReport) -> dict[tuple[str, str], CheckOutcome]:
    """What did not hold, by table and name."""
    return {(one.staged_table.removeprefix("staged_"), one.name): one for one in report.complaints}


def only(report: QualityReport) -> CheckOutcome:
    """The one check that did not hold."""
    (complaint,) = report.complaints
    return complaint


def _staged(table: str) -> sa.Table:
    return tables.metadata.tables[f"staged_{table}"]
