"""No question about usage scans the ledger, whatever its size: each finds its rows through an index."""

from collections.abc import Iterator
from datetime import date

import pytest
import sqlalchemy as sa

from database import migrate
from database.engine import connect
from models import tables
from tasks.analytics import cache_report, coach_usage, org_usage, platform_usage, player_usage, read_usage
from tests.conftest import fresh_database
from tests.integration.stored_rows import Plans, Rows, many_ledger_rows

MONTH = date(2026, 3, 1), date(2026, 3, 31)
ALWAYS = date(2025, 9, 1), date(2027, 1, 1)
MARKS_LEFT = {
    "every day": "true",
    "one day": "utc_day = '2026-03-15'",
    "every other day": "extract(day FROM utc_day) % 2 = 0",
    "no day": "false",
}


@pytest.fixture
def ledger(database_url: str) -> Iterator[Rows]:
    """60,000 rows, on every server."""
    yield from filled(database_url, 60_000)


@pytest.fixture
def large_ledger(embedded_server: str) -> Iterator[Rows]:
    """1,000,000 rows, on the embedded server alone: they take a while."""
    with fresh_database(embedded_server) as url:
        migrate.upgrade(url)
        yield from filled(url, 1_000_000)


def filled(url: str, number: int) -> Iterator[Rows]:
    engine = connect(url)
    rows = Rows(engine)
    rows.club(timezone="Europe/Dublin")
    rows.coach("coach-5", "club")
    player = {"id": "player-10", "organization_id": "club", "first_name": "Aoife", "sport": "soccer"}
    rows.insert(tables.Player, player)
    many_ledger_rows(engine, number)
    yield rows
    engine.dispose()


def test_usage_is_not_read_by_a_sequential_scan(ledger: Rows) -> None:
    org = assert_no_plan_scans_the_ledger(ledger)
    assert 800 < org["attempts"] < 1_000
    always = org_usage(ledger.engine, "club", *ALWAYS)
    assert always["attempts"] == 0, "nothing is marked any more, and nothing was rolled up"


def test_nor_at_a_million_rows(large_ledger: Rows) -> None:
    org = assert_no_plan_scans_the_ledger(large_ledger)
    assert 14_900 < org["attempts"] < 15_100


def assert_no_plan_scans_the_ledger(rows: Rows) -> dict[str, int]:
    """Ask everything with fewer and fewer marks; gives what the club used, by the ledger alone."""
    first = None
    for marked, condition in MARKS_LEFT.items():
        with rows.engine.begin() as connection:
            connection.execute(sa.text(f"DELETE FROM rollup_dirty_day WHERE NOT ({condition})"))  # noqa: S608
        seen = Plans(rows.engine)
        first = first or org_usage(rows.engine, "club", *MONTH)
        for organization_id in ("club", None):
            read_usage(rows.engine, *MONTH, organization_id, by=["local_day"])
            cache_report(rows.engine, *MONTH, organization_id)
        org_usage(rows.engine, "club", *MONTH)
        platform_usage(rows.engine, *MONTH)
        coach_usage(rows.engine, "coach-5", *MONTH)
        player_usage(rows.engine, "player-10", *MONTH)
        seen.stop()
        assert len(seen.plans) >= 9
        scans = [plan for plan in seen.plans if "Seq Scan on ai_usage_log" in plan]
        assert not scans, (marked, scans[0])
        assert all("ix_ai_usage_log_" in plan for plan in seen.plans)
    assert first is not None
    return first
