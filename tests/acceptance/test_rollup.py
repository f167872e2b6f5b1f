"""The nightly rollup as a flow: what holds is published and shown; what does not is stopped, and says why."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prefect.artifacts import Artifact
from typer.testing import CliRunner

from cli.main import app, exit_code
from core.errors import BadInput
from core.pricing import price_version
from core.rollups import RollupRefused, RollupReport
from core.states import CheckResult
from flows.rollup import nightly_rollup
from tasks.rollup_artifacts import CHECKS_KEY, RUN_KEY
from tests.acceptance.conftest import World
from tests.integration.rolled_up import marked_days, published
from tests.integration.stored_rows import AT, Rows

DAY = AT.date()
PREFECT_DEFAULTS = (
    "PREFECT_HOME",
    "PREFECT_LOGGING_LEVEL",
    "PREFECT_SERVER_LOGGING_LEVEL",
    "PREFECT_SERVER_ANALYTICS_ENABLED",
    "DO_NOT_TRACK",
)
TOUCHLINE = [sys.executable, "-c", "from cli.main import main; main()"]


@pytest.fixture
def rows(world: World) -> Rows:
    """A club in the world's database with a call, and the means to write more."""
    made = Rows(world.engine)
    made.club(timezone="Europe/Dublin")
    made.attempt()
    return made


def night(**asked: Any) -> RollupReport:
    """Run the flow."""
    report: RollupReport = asyncio.run(nightly_rollup(**asked))
    return report


def refused_night() -> RollupReport:
    """Run the flow, which must refuse to publish; gives what it reports."""
    with pytest.raises(RollupRefused) as refused:
        night()
    return refused.value.report


def artifact(key: str) -> Any:
    """The latest artifact with a key."""
    found = Artifact.get(key=key)
    assert found is not None
    assert not isinstance(found, asyncio.Future)
    return found.data  # type: ignore[union-attr]


def broken(report: RollupReport) -> set[str]:
    """The names of the checks that failed."""
    return {one.name for one in report.checks.outcomes if one.result is CheckResult.FAILED}


def test_a_night_publishes_what_is_marked_and_the_next_has_nothing_to_do(world: World, rows: Rows) -> None:
    report = night()
    assert report.published
    assert report.days == (DAY,)
    assert report.rows == sum(map(len, published(world.engine).values())) == 4
    assert report.checks.failed == report.checks.warned == 0
    assert marked_days(world.engine) == []
    kept = world.rows("SELECT result, count(*) AS n FROM quality_check GROUP BY result")
    assert kept == [{"result": "passed", "n": report.checks.passed}]
    assert len(json.loads(artifact(CHECKS_KEY))) == report.checks.passed
    assert "1 day (2026-03-02) published, 4 rows" in artifact(RUN_KEY)
    assert world.rows("SELECT count(*) AS n FROM staged_player_day") == [{"n": 0}]
    again = night()
    assert (again.days, again.published) == ((), False)


def test_a_rebuild_after_the_tables_were_emptied_gives_the_same_rows(world: World, rows: Rows) -> None:
    night()
    once = published(world.engine)
    for table in once:
        world.execute(f"TRUNCATE {table}")
    assert night(rebuild=True).published
    assert published(world.engine) == once


def test_days_and_a_rebuild_together_are_bad_input(world: World) -> None:
    with pytest.raises(BadInput, match="not both"):
        night(days=[DAY], rebuild=True)


def wrong_price(world: World, rows: Rows) -> None:
    rows.attempt(attempt_id="dear", cost_usd=Decimal("0.000120000001"), price_version=price_version())


def unknown_club(world: World, rows: Rows) -> None:
    rows.attempt("nowhere", attempt_id="homeless")


def vanished_in_staging(world: World, rows: Rows) -> None:
    """Whatever loses a row on its way into a rollup: here a trigger that drops one player's."""
    rows.attempt(player_id="vanishes")
    world.execute(
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN CASE WHEN NEW.player_id = 'vanishes' THEN NULL ELSE NEW END; END $$"
    )
    world.execute(
        "CREATE TRIGGER lose BEFORE INSERT ON staged_player_day FOR EACH ROW EXECUTE FUNCTION lose()"
    )


def vanished_from_the_ledger(world: World, rows: Rows) -> None:
    """As a restored backup would have it; the ledger itself refuses to lose a row."""
    with world.engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        connection.execute(sa.text("DELETE FROM ai_usage_log WHERE attempt_id = 'second'"))
    rows.attempt(attempt_id="third", occurred_at=AT + timedelta(days=1))
    world.execute("UPDATE ai_usage_log SET latency_ms = 1 WHERE attempt_id = 'first'")


def query_that_errors(world: World, rows: Rows) -> None:
    rows.attempt()
    world.execute("ALTER TABLE rollup_day RENAME COLUMN ledger_rows TO ledger_lines")


NIGHTS = {
    "wrong price": (wrong_price, "every cost is what the price list says", "dear"),
    "unknown club": (unknown_club, "every organisation is known", "nowhere"),
    "vanished in staging": (
        vanished_in_staging,
        "every figure of every day equals the ledger's to the last digit",
        "2026-03-02",
    ),
    "vanished from the ledger": (
        vanished_from_the_ledger,
        "no day has lost ledger rows since it was published",
        "2026-03-02",
    ),
    "a query that errors": (
        query_that_errors,
        "no day has lost ledger rows since it was published",
        "ledger_rows does not exist",
    ),
}


@pytest.mark.parametrize("name", NIGHTS)
def test_a_night_that_does_not_hold_publishes_nothing_and_says_why(
    world: World, rows: Rows, name: str
) -> None:
    spoil, check, told = NIGHTS[name]
    rows.attempt(attempt_id="first")
    rows.attempt(attempt_id="second")
    night()
    before = published(world.engine)
    assert before["rollup_player_day"]
    spoil(world, rows)
    marked = marked_days(world.engine)
    report = refused_night()
    assert check in broken(report)
    assert not report.published
    assert published(world.engine) == before
    assert marked_days(world.engine) == marked != []
    markdown = artifact(RUN_KEY)
    assert "Nothing was published" in markdown
    assert check in markdown
    assert told in markdown
    first = json.loads(artifact(CHECKS_KEY))[0]
    assert (first["result"], first["check"] in broken(report)) == ("failed", True)
    kept = world.rows(
        "SELECT name FROM quality_check WHERE result = 'failed' AND run_id = :id", id=report.run_id
    )
    assert {row["name"] for row in kept} == broken(report)
    assert world.rows("SELECT count(*) AS n FROM staged_player_day") == [{"n": 0}]


def test_a_night_is_published_once_its_cause_is_mended(world: World, rows: Rows) -> None:
    rows.attempt("nowhere")
    refused_night()
    rows.club("nowhere", timezone="Asia/Kolkata")
    assert night().published
    local = world.rows("SELECT local_day FROM rollup_coach_day WHERE organization_id = 'nowhere'")
    assert local == [{"local_day": date(2026, 3, 3)}]


def test_a_day_of_a_club_that_is_gone_can_still_be_opened_again(world: World, rows: Rows) -> None:
    rows.club("gone")
    rows.attempt("gone", attempt_id="of the past")
    night()
    for table in ("coach", "player"):
        world.execute(f"DELETE FROM {table} WHERE organization_id = 'gone'")  # noqa: S608
    world.execute("DELETE FROM organization WHERE id = 'gone'")
    world.execute("UPDATE ai_usage_log SET latency_ms = 1 WHERE attempt_id = 'of the past'")
    assert night().published


def test_a_warning_publishes_and_tells(world: World, rows: Rows) -> None:
    rows.attempt(attempt_id="before", price_version="an older list", cost_usd=Decimal("0.0001"))
    report = night()
    assert report.published
    assert report.checks.warned == 1
    markdown = artifact(RUN_KEY)
    assert "1 warned" in markdown
    assert "an older list" in markdown


def rollup_process(prefect_server: str, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*TOUCHLINE, "rollup", *options],
        env=os.environ | {"PREFECT_API_URL": prefect_server},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_a_publisher_that_waits(world: World, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 120
    waiting = (
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%rollup_player_day%'"
    )
    while not world.rows(waiting + " AND datname = current_database()"):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline, "it did not come to publish"
        time.sleep(0.05)


def test_a_kill_in_the_middle_of_publishing_leaves_the_published_tables_as_they_were(
    world: World, rows: Rows, prefect_server: str
) -> None:
    night()
    before = published(world.engine)
    rows.attempt(player_id="another")
    process = rollup_process(prefect_server)
    try:
        with (
            world.engine.begin() as holder
        ):  # of one of the later tables: the first ones are replaced by then
            holder.execute(sa.text("LOCK TABLE rollup_player_day IN EXCLUSIVE MODE"))
            wait_for_a_publisher_that_waits(world, process)
            process.send_signal(signal.SIGKILL)
            process.wait()
    finally:
        process.kill()
        process.communicate()
    assert published(world.engine) == before
    assert marked_days(world.engine) == [DAY]
    assert night().published
    assert len(published(world.engine)["rollup_player_day"]) == 2
    assert marked_days(world.engine) == []


@pytest.fixture
def command(prefect_server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run `touchline rollup` in this process, which has imported everything; gives its result."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_server)
    for name in PREFECT_DEFAULTS:  # what the command sets would otherwise stay for the tests after this one
        monkeypatch.setenv(name, os.environ.get(name, ""))
        monkeypatch.delenv(name)
    return lambda *options: CliRunner().invoke(app, ("rollup", *options))


def test_the_command_reports_what_was_published_and_writes_the_pages_about_the_checks(
    world: World, rows: Rows, command: Any, tmp_path: Path
) -> None:
    result = command("--day", DAY.isoformat(), "--data-docs", str(tmp_path / "docs"), "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (report["days"], report["rows"], report["published"]) == ([DAY.isoformat()], 4, True)
    assert report["checks"]["failed"] == report["checks"]["warned"] == 0 < report["checks"]["passed"]
    assert list((tmp_path / "docs").rglob("index.html"))


def test_the_command_that_is_refused_shows_the_rows_that_fail(world: World, rows: Rows, command: Any) -> None:
    wrong_price(world, rows)
    result = command()
    assert isinstance(result.exception, RollupRefused)
    assert exit_code(result.exception) == 1
    assert "attempt_id dear" in result.stdout
    assert "touchline rollup" in str(result.exception)
