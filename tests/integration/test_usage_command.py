"""`touchline usage`: whose it is, how it is shown, and what it writes."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from cli.main import app
from core.errors import BadInput
from tasks.analytics import cache_report, coach_usage, org_usage, platform_usage, player_usage
from tests.integration.stored_rows import AT, Rows

MARCH = ("--from", "2026-03-01", "--to", "2026-04-01")
DAYS = date(2026, 3, 1), date(2026, 4, 1)
EXACT = "0.000000000007"
PNG = b"\x89PNG\r\n"


@pytest.fixture
def command(rows: Rows, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run `touchline usage` on this database, in a terminal of 80 columns; gives its result."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "80")
    return lambda *arguments: CliRunner().invoke(app, ("usage", *map(str, arguments)))


def test_the_last_thirty_local_days_with_today_are_shown(rows: Rows, command: Callable[..., Any]) -> None:
    rows.club("auckland", timezone="Pacific/Auckland")
    rows.attempt("auckland", occurred_at=datetime.now(UTC))
    before = datetime.now(ZoneInfo("Pacific/Auckland")).date()
    used = json.loads(command("--org", "auckland", "--json").stdout)
    after = datetime.now(ZoneInfo("Pacific/Auckland")).date()
    to_day = date.fromisoformat(used["to"])
    assert before <= to_day - timedelta(days=1) <= after
    assert date.fromisoformat(used["from"]) == to_day - timedelta(days=30)
    assert used["calls"] == 1
    assert len(used["daily"]) == 30
    assert command("--org", "auckland").exit_code == 0


def test_json_is_what_the_tasks_return(rows: Rows, command: Callable[..., Any]) -> None:
    rows.attempt()
    expected: list[tuple[tuple[str, ...], dict[str, Any]]] = [
        (("--org", "club"), org_usage(rows.engine, "club", *DAYS)),
        (("--platform",), platform_usage(rows.engine, *DAYS)),
        (("--coach", "coach-club"), coach_usage(rows.engine, "coach-club", *DAYS)),
        (("--player", "player-club"), player_usage(rows.engine, "player-club", *DAYS)),
        (("--org", "club", "--cache"), cache_report(rows.engine, *DAYS, "club")),
        (("--platform", "--cache"), cache_report(rows.engine, *DAYS)),
    ]
    for whose, used in expected:
        assert json.loads(command(*whose, *MARCH, "--json").stdout) == used


def test_a_person_reads_it_in_80_columns_with_bars(rows: Rows, command: Callable[..., Any]) -> None:
    rows.coach("c2", "club", name="Ciarán Mac Giolla Chuda")
    for day in (2, 3, 3):
        rows.attempt(coach_id="c2", occurred_at=AT.replace(day=day), model="claude-sonnet-5-5")
    for whose in (("--org", "club"), ("--platform",), ("--coach", "c2"), ("--player", "player-club")):
        shown = command(*whose, *MARCH).stdout
        assert max(map(len, shown.splitlines())) <= 80
        assert "$0.000360 for 3 calls" in shown.replace("\n", " ")
        assert "2026-03-03 Tue" in shown
        assert "█" in shown
    assert "2026-03-04" not in command("--org", "club", *MARCH).stdout
    by_month = command("--org", "club", "--from", "2026-01-01", "--to", "2026-12-31").stdout
    assert "2026-03" in by_month
    assert "Ciarán Mac Giolla Chuda" in by_month.replace("\n", "")
    cached = command("--org", "club", "--cache", *MARCH).stdout
    assert "97.6%" in cached
    assert max(map(len, cached.splitlines())) <= 80
    assert (
        "Nothing was called" in command("--org", "club", "--from", "2025-01-01", "--to", "2025-01-02").stdout
    )
    nothing = command("--platform", "--cache", "--from", "2025-01-01", "--to", "2025-01-02").stdout
    assert "Nothing was answered" in nothing


def test_csv_has_exact_sums_on_stdout_or_in_a_file(
    rows: Rows, command: Callable[..., Any], tmp_path: Path
) -> None:
    rows.attempt(cost_usd=Decimal(EXACT))
    (row,) = csv.DictReader(io.StringIO(command("--org", "club", *MARCH, "--csv", "-").stdout))
    assert (row["utc_day"], row["model"], row["cost_usd"]) == ("2026-03-02", "claude-haiku-5-5", EXACT)
    assert (row["calls"], row["cache_read_tokens"], row["hit_rates_sum"]) == ("1", "4000", "0.97561")
    file = tmp_path / "usage.csv"
    shown = command("--coach", "coach-club", *MARCH, "--csv", file, "--json")
    assert json.loads(shown.stdout)["calls"] == 1
    daily = list(csv.DictReader(file.open()))
    assert len(daily) == 31
    assert daily[1] == {"day": "2026-03-02", "calls": "1", "cost_usd": EXACT}
    refused = command("--org", "club", *MARCH, "--csv", tmp_path / "nowhere" / "usage.csv").exception
    assert isinstance(refused, BadInput)
    assert "cannot be written" in str(refused)


def test_a_chart_is_a_picture_also_of_nothing(
    rows: Rows, command: Callable[..., Any], tmp_path: Path
) -> None:
    rows.coach("c$2", "club", name="Costs $5 to $6, \\alpha_1")
    rows.attempt(coach_id="c$2")
    for number, whose in enumerate((("--org", "club"), ("--platform",), ("--player", "player-club"))):
        for days in (MARCH, ("--from", "2025-01-01", "--to", "2025-01-02")):
            file = tmp_path / f"{number}.png"
            assert command(*whose, *days, "--chart", file).exit_code == 0
            assert file.read_bytes().startswith(PNG)
            file.unlink()
    refused = command("--org", "club", *MARCH, "--chart", tmp_path / "nowhere" / "usage.png").exception
    assert isinstance(refused, BadInput)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--org", "club", "--platform"),
        ("--coach", "coach-club", "--player", "player-club"),
        ("--coach", "coach-club", "--cache"),
        ("--org", "club", "--cache", "--csv", "-"),
        ("--org", "club", "--json", "--csv", "-"),
        ("--org", "club", "--chart", "usage.gif"),
        ("--org", "club", "--from", "yesterday"),
        ("--org", "club", "--to", "2026-02-30"),
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(
    command: Callable[..., Any], arguments: tuple[str, ...]
) -> None:
    assert command(*arguments).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("--org", "club", "--to", "0001-01-05"),
        ("--org", "nowhere"),
        ("--coach", "nobody"),
        ("--player", "nobody"),
        ("--platform", "--from", "1926-01-01"),
    ],
    ids=str,
)
def test_what_is_not_there_is_bad_input(command: Callable[..., Any], arguments: tuple[str, ...]) -> None:
    assert isinstance(command(*arguments).exception, BadInput)
