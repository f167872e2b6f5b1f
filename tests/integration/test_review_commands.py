"""`touchline review` and `touchline trust`, as a coach or a script gives them."""

import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app, exit_code
from core.errors import TouchlineError
from database.engine import connect
from tests.integration.stored_rows import Rows

COACH = ("--as", "coach-club")


@pytest.fixture
def rows(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rows]:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "160")
    engine = connect(database_url)
    made = Rows(engine)
    made.club()
    made.coach("another", "club")
    yield made
    engine.dispose()


def shown(*arguments: str, stdin: str | None = None) -> str:
    result = CliRunner().invoke(app, arguments, input=stdin)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def told(*arguments: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(shown(*arguments, "--json"))
    return value


def refused(*arguments: str) -> tuple[int, str]:
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, TouchlineError)
    return exit_code(error), str(error)


def test_what_waits_is_shown_beside_its_note_with_band_and_reasons(rows: Rows) -> None:
    one = rows.summary(
        confidence=Decimal("0.65"),
        category="injury",
        reason="knock to the knee",
        decision_reasons=["category_injury", "screen_injury"],
        tier="flagged",
    )
    page = shown("review", "list", *COACH)
    for words in (
        one,
        "injury",
        "0.65 (medium)",
        "screen injury",
        "model: knock to the knee",
        "Hesitates when",
    ):
        assert words in page
    (row,) = told("review", "list", *COACH)["summaries"]
    assert (row["summary_id"], row["confidence_band"], row["revocable"]) == (one, "medium", False)
    assert "Nothing is approved." in shown("review", "list", *COACH, "--state", "approved")


def test_what_went_by_itself_is_listed_with_until_when(rows: Rows) -> None:
    rows.summary(state="auto_approved")
    assert "can be revoked; goes out from 2026-03-02 20:00 UTC" in shown(
        "review", "list", *COACH, "--state", "auto_approved"
    )


def test_one_summary_is_shown_with_its_decision_and_its_events(rows: Rows) -> None:
    one = rows.summary(text="Well [bold]done[/bold].")
    told("review", "edit", one, *COACH, "--text", "Well done.")
    page = shown("review", "show", one, *COACH)
    for words in ("Well done.", "manual_review", "level_below_2", "threshold", "edited", "created"):
        assert words in page
    whole = told("review", "show", one, *COACH)
    assert whole["original_text"] == "Well [bold]done[/bold]."
    assert [event["event"] for event in whole["events"]] == ["created", "edit"]


def test_every_act_tells_where_the_summary_was_and_is(rows: Rows) -> None:
    injury, text, back, rule = (
        rows.summary(category="injury"),
        rows.summary(),
        rows.summary(),
        rows.summary(state="auto_approved"),
    )
    ticks = ("--personally-observed", "--severity-accurate", "--no-medical-advice")
    assert told("review", "approve", injury, *COACH, *ticks) == {
        "summary_id": injury,
        "from": "pending_review",
        "to": "approved",
    }
    assert told("review", "edit", text, *COACH, "--text", "Mine.")["to"] == "pending_review"
    kept = told("review", "suppress", back, *COACH, "--feedback", "wrong_timing", "--reason", "Not now.")
    assert kept["to"] == "suppressed"
    assert told("review", "revoke", rule, *COACH)["from"] == "auto_approved"


def test_a_new_text_comes_from_a_file_or_stdin_too_and_from_one_place_only(
    rows: Rows, tmp_path: Path
) -> None:
    one, file = rows.summary(), tmp_path / "new.txt"
    file.write_text("Ciarán kept going.\n", "utf-8")
    shown("review", "edit", one, *COACH, "--file", str(file))
    assert told("review", "show", one, *COACH)["text"] == "Ciarán kept going."
    shown("review", "edit", one, *COACH, "--file", "-", stdin="From stdin.")
    assert told("review", "show", one, *COACH)["text"] == "From stdin."
    for arguments in ((), ("--text", "a", "--file", str(file)), ("--file", str(tmp_path / "none"))):
        code, message = refused("review", "edit", one, *COACH, *arguments)
        assert code == 2
        assert "--file" in message
    file.write_bytes(io.BytesIO(b"\xff\xfe").getvalue())
    assert refused("review", "edit", one, *COACH, "--file", str(file))[0] == 2


def test_whoever_may_not_or_comes_too_late_is_told_so_with_code_2(rows: Rows) -> None:
    one, gone = rows.summary(category="injury"), rows.summary(state="delivered")
    assert refused("review", "approve", one, "--as", "another") == (
        2,
        "This summary belongs to another coach: only its own coach decides about it.",
    )
    assert refused("review", "approve", one, *COACH)[1].startswith("To approve a summary about injury")
    assert "is delivered cannot become suppressed" in refused("review", "revoke", gone, *COACH)[1]
    assert "user id not found" in refused("review", "list", "--as", "nobody")[1]
    assert "touchline review list" in refused("review", "approve", "none", *COACH)[1]


def test_trust_is_shown_and_set(rows: Rows) -> None:
    assert "Level 1 is 10 more approvals away." in shown("trust", "show", *COACH)
    found = told("trust", "set", *COACH, "--level", "3", "--threshold", "0.75")
    assert (found["preferred"], found["effective"], found["threshold"]) == (3, 0, "0.75")
    assert {"earned", "preferred", "effective", "threshold", "progress"} <= set(found)
    cleared = told("trust", "set", *COACH, "--level", "none", "--threshold", "none")
    assert (cleared["preferred"], cleared["threshold"]) == (None, "0.70")
    for wrong in (("--level", "4"), ("--level", "two"), ("--threshold", "0.5"), ("--threshold", "much"), ()):
        assert refused("trust", "set", *COACH, *wrong)[0] == 2
    code, _ = refused("trust", "set", *COACH, "--level", "1", "--threshold", "0.1")
    assert (code, told("trust", "show", *COACH)["preferred"]) == (2, None)
