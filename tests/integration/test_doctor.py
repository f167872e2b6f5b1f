"""`touchline doctor`: every check is made, what is wrong has a next step, and no secret is told."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from core.prompt import PlayerFacts, estimated_tokens, layers, sports
from core.states import Tone
from database import embedded, migrate
from database.engine import connect
from tasks.health import check_prefix
from tests.integration.stored_rows import Rows

KEY = "sk-ant-a-secret"
NAMES = ["settings", "home folder", "spool", "model", "fallback model"]
NAMES += [f"prefix {sport}" for sport in sports()]
NAMES += ["calls", "database", "migration", "insights", "prefect"]

Doctor = Callable[[], dict[str, dict[str, Any]]]


@pytest.fixture
def doctor(database_url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Run the doctor in an environment where all is well unless the test changes it; gives checks by name."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("TOUCHLINE_HOME", str(home))
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)

    def run() -> dict[str, dict[str, Any]]:
        result = CliRunner().invoke(app, ["doctor", "--json"])
        assert KEY not in result.output
        told = json.loads(result.stdout)
        assert told["ok"] == all(check["ok"] for check in told["checks"])
        assert result.exit_code == (0 if told["ok"] else 1)
        assert all(check["next_step"] for check in told["checks"] if not check["ok"])
        return {check["name"]: check for check in told["checks"]}

    return run


def wrong(checks: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name, check in checks.items() if not check["ok"]]


def test_all_is_well_and_every_check_is_made(doctor: Doctor) -> None:
    checks = doctor()
    assert list(checks) == NAMES
    assert wrong(checks) == []
    assert all(check.keys() == {"name", "ok", "detail", "next_step"} for check in checks.values())
    assert "live" in checks["calls"]["detail"]
    assert "a temporary one is started for each run" in checks["prefect"]["detail"]
    assert migrate.head() in checks["migration"]["detail"]


def test_a_person_sees_every_check(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TOUCHLINE_MODEL", "gpt-1")
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert all(name in result.stdout for name in NAMES if not name.startswith("prefix"))
    assert "WRONG" in result.stdout
    assert "Next: Set TOUCHLINE_MODEL to one of" in result.stdout


def test_each_sports_prefix_is_shown_against_the_models_minimum(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for sport in sports():
        assert "caches from 512: margin" in doctor()[f"prefix {sport}"]["detail"]
    monkeypatch.setenv("TOUCHLINE_MODEL", "claude-3-haiku")
    assert "caches from 2,048" in doctor()[f"prefix {sports()[0]}"]["detail"]


def test_a_prefix_is_wrong_when_it_is_one_token_too_short() -> None:
    shared_by_all_notes = layers("soccer", Tone.WARM, PlayerFacts("Aoife", None, None, None))[:2]
    tokens = sum(estimated_tokens(layer.text, "claude-haiku-5-5") for layer in shared_by_all_notes)
    assert check_prefix("soccer", "claude-haiku-5-5", tokens).ok
    short = check_prefix("soccer", "claude-haiku-5-5", tokens + 1)
    assert not short.ok
    assert "margin -1" in short.detail
    assert "core/prompts/sports/soccer.md" in str(short.next_step)


def test_a_model_without_a_price_is_wrong_and_so_are_its_prefixes(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHLINE_MODEL", "gpt-1")
    monkeypatch.setenv("TOUCHLINE_FALLBACK_MODEL", "gpt-2")
    checks = doctor()
    assert wrong(checks) == ["model", "fallback model", "prefixes"]
    assert "claude-haiku-5-5" in checks["model"]["next_step"]
    assert "TOUCHLINE_FALLBACK_MODEL" in checks["fallback model"]["next_step"]


def test_wrong_settings_are_named_and_nothing_else_is_looked_at(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOUCHLINE_CONCURRENCY", "many")
    checks = doctor()
    assert list(checks) == ["settings"]
    assert "TOUCHLINE_CONCURRENCY" in checks["settings"]["detail"]


@pytest.mark.parametrize(
    ("key", "base_url", "ok", "told"),
    [
        (None, None, False, "(live), without a key"),
        (KEY, None, True, "https://api.anthropic.com (live), with the key"),
        (None, "http://127.0.0.1:9", True, "http://127.0.0.1:9 (a rehearsal"),
        (KEY, "https://me:secret@proxy.test/v1?token=secret", True, "https://proxy.test/v1 (a rehearsal"),
        (KEY, "127.0.0.1:9", False, "rehearsal"),
    ],
)
def test_where_calls_go_is_told_without_calling_and_without_secrets(
    doctor: Doctor,
    monkeypatch: pytest.MonkeyPatch,
    key: str | None,
    base_url: str | None,
    ok: bool,
    told: str,
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    for name, value in (("ANTHROPIC_API_KEY", key), ("ANTHROPIC_BASE_URL", base_url)):
        if value is not None:
            monkeypatch.setenv(name, value)
    check = doctor()["calls"]
    assert check["ok"] is ok
    assert told in check["detail"]
    assert "secret" not in check["detail"]


def test_a_database_that_cannot_be_reached_is_a_failed_check(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://someone:hidden@127.0.0.1:9/none")
    checks = doctor()
    assert wrong(checks) == ["database"]
    assert "cannot be reached" in checks["database"]["detail"]
    assert "hidden" not in json.dumps(checks)
    monkeypatch.setenv("DATABASE_URL", "mysql://127.0.0.1/none")
    assert wrong(doctor()) == ["database"]


def test_a_database_at_another_migration_is_to_be_upgraded(
    doctor: Doctor, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    checks = doctor()
    assert wrong(checks) == ["migration"]
    assert checks["database"]["ok"]
    assert checks["migration"]["next_step"] == "Run: touchline db upgrade"


def test_the_embedded_database_is_started_migrated_and_stopped_again(
    doctor: Doctor, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    try:
        checks = doctor()
        assert wrong(checks) == []
        assert "for one machine" in checks["database"]["detail"]
        assert "pg_dump" in checks["database"]["detail"]
        assert not embedded.status(home).running
    finally:
        embedded.reset(home)  # the cluster may lie outside of the test's folder


def test_figures_that_wait_for_the_ledger_are_wrong(doctor: Doctor, home: Path) -> None:
    (home / "spool").mkdir(parents=True)
    (home / "spool" / "attempt.json").write_text("{}")
    checks = doctor()
    assert wrong(checks) == ["spool"]
    assert "1 attempts" in checks["spool"]["detail"]


def test_a_home_that_is_no_folder_is_wrong(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TOUCHLINE_HOME", str(tmp_path / "file"))
    assert wrong(doctor()) == ["home folder"]
    monkeypatch.delenv("DATABASE_URL")
    assert set(wrong(doctor())) == {"home folder", "database"}


def test_what_waits_in_the_database_is_told_and_nothing_is_wrong(doctor: Doctor, database_url: str) -> None:
    rows, now = Rows(connect(database_url)), datetime.now(UTC)
    rows.club()
    rows.insight(state="parked", state_reason="refusal")
    for lease_until in (now - timedelta(hours=1), now + timedelta(hours=1)):
        rows.insight(state="claimed", claimed_by="run", lease_until=lease_until)
    for not_before in (now - timedelta(hours=1), now + timedelta(hours=1), now + timedelta(hours=2)):
        rows.insight(state="deferred", state_reason="outage", not_before=not_before)
    rows.engine.dispose()
    checks = doctor()
    assert wrong(checks) == []
    assert checks["insights"]["detail"] == (
        "1 with an ended lease, 1 deferred and due (the next run takes both), 2 deferred for later, "
        "1 parked; 0 batches open, 0 of them past their time"
    )
    assert "insights list --state parked" in checks["insights"]["next_step"]


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A server that answers every request with a status; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/api/health" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("status", "ok"), [(200, True), (401, True), (404, False), (500, False)])
def test_prefects_api_is_asked_whether_it_is_there(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, status: int, ok: bool
) -> None:
    with answering(status) as url:
        monkeypatch.setenv("PREFECT_API_URL", f"{url}/")
        assert doctor()["prefect"]["ok"] is ok


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/api",
        "http://me:secret@127.0.0.1:9/api",
        "file:///etc",
        "prefect.test",
        "http://[::1",
    ],
)
def test_a_prefect_api_that_is_not_there_is_wrong(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", url)
    checks = doctor()
    assert wrong(checks) == ["prefect"]
    assert "secret" not in json.dumps(checks)
    assert "prefect server start" in checks["prefect"]["next_step"]


def test_the_doctor_imports_neither_prefect_nor_great_expectations() -> None:
    look = "import sys, tasks.health; print(sorted({'prefect', 'great_expectations'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
