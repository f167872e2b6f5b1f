"""`touchline evaluate` on the emulator: on the ledger and in its file, and nowhere near a parent."""

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.commands import TOUCHLINE, in_process, told
from tests.acceptance.conftest import World
from tests.acceptance.test_summarize import assert_books_equal

NOTE = {
    "id": "n1",
    "sport": "soccer",
    "tone": "warm",
    "first_name": "Amelia",
    "title": "Passing",
    "description": "Amelia's passing was sharp, first touch still bounces away from her.",
    "category": "normal",
}


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A labelled file of six notes of two sports."""
    lines = [
        NOTE | {"id": f"{sport}-{n}", "sport": sport} for sport in ("soccer", "rugby") for n in range(1, 4)
    ]
    path = tmp_path / "notes.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def nothing_but_the_ledger(world: World) -> bool:
    tables = ("organization", "coach", "player", "guardian", "insight", "summary", "ai_usage_insight")
    return not any(world.rows(f"SELECT 1 FROM {table}") for table in tables)  # noqa: S608


def test_the_packaged_notes_are_scored_and_the_ledger_equals_the_meter(world: World) -> None:
    process = in_process("evaluate", "--json")
    result = told(process)
    assert result["cases"] == 54
    assert result["rules"]["answered"] == {"passed": 54, "failed": 0, "share": 1.0}
    assert sum(n for row in result["categories"].values() for n in row.values()) == 54
    assert 0 < result["output_tokens"]["mean"] <= result["output_tokens"]["p95"]
    assert len(result["prompt_versions"]) == 27
    assert f"54 calls of claude-haiku-5-5 to {world.emulator_url}, for about $" in process.stderr
    assert_books_equal(world)
    assert world.meter()["cost_usd"] == result["bill"]["cost_usd"]
    assert {(row["operation"], row["organization_id"], row["player_id"]) for row in world.ledger()} == {
        ("evaluation",) * 3
    }
    assert nothing_but_the_ledger(world)


def test_the_file_holds_every_answer_and_check_and_no_note(world: World, notes: Path, tmp_path: Path) -> None:
    file = tmp_path / "results" / "one.json"
    result = told(in_process("evaluate", "--notes", str(notes), "--out", str(file), "--json"))
    assert result["file"] == str(file)
    written: dict[str, Any] = json.loads(file.read_text("utf-8"))
    assert [one["id"] for one in written["results"]] == [
        f"{s}-{n}" for s in ("soccer", "rugby") for n in (1, 2, 3)
    ]
    assert all(one["answer"]["summary"] and one["checks"] for one in written["results"])
    assert "bounces away" not in file.read_text("utf-8")
    assert {name: written[name] for name in result if name != "file"} == {
        name: value for name, value in result.items() if name != "file"
    }


def test_a_person_sees_rules_categories_and_cost(world: World, notes: Path) -> None:
    shown = in_process("evaluate", "--notes", str(notes), "--sport", "rugby", "--limit", "2")
    assert shown.returncode == 0
    for word in ("tone_length", "category_at_least", "Categories", "of 2 notes keep every rule", "95th"):
        assert word in shown.stdout
    (file,) = (world.home / "evaluations").glob("*.json")
    assert str(file) in shown.stdout
    assert len(world.ledger()) == 2


def test_a_broken_answer_is_asked_for_again_and_a_refusal_fails_its_note(world: World, notes: Path) -> None:
    world.fault(kind="break_schema", count=1, match="# Sport: rugby")
    world.fault(kind="refusal", share=1, match="# Sport: soccer")
    result = told(in_process("evaluate", "--notes", str(notes), "--json"))
    assert result["rules"]["answered"]["passed"] == 3
    assert result["categories"]["normal"]["no answer"] == 3
    assert sorted(row["outcome"] for row in world.ledger()) == ["refused"] * 3 + ["succeeded"] * 3 + [
        "unusable"
    ]
    results = json.loads(Path(result["file"]).read_text("utf-8"))["results"]
    assert {one["reason"] for one in results if not one["passed"] and one["answer"] is None} == {"refusal"}
    assert_books_equal(world)


def test_an_overloaded_api_is_asked_again(world: World, notes: Path) -> None:
    world.fault(kind="overloaded", count=1)
    result = told(in_process("evaluate", "--notes", str(notes), "--limit", "1", "--json"))
    assert [row["outcome"] for row in world.ledger()] == ["rejected", "succeeded"]
    assert result["bill"]["attempts"] == 2


def test_an_api_that_cannot_be_reached_ends_with_code_1(
    world: World, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    away = in_process("evaluate", "--notes", str(notes), "--limit", "1")
    assert away.returncode == 1
    assert "gave no reply to 1 of 1 notes (outage)" in away.stderr
    assert "Traceback" not in away.stderr
    assert {row["outcome"] for row in world.ledger()} == {"rejected"}


def test_a_reached_spend_limit_ends_with_code_3(world: World, notes: Path) -> None:
    world.fault(kind="spend_cap", share=1)
    stopped = in_process("evaluate", "--notes", str(notes), "--json")
    assert stopped.returncode == 3
    assert json.loads(stopped.stdout)["rules"]["answered"]["passed"] == 0
    assert "these scores are incomplete" in stopped.stderr


def test_without_key_and_address_it_refuses_as_summarize_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_BASE_URL")
    refused, as_summarize = (in_process(command) for command in ("evaluate", "summarize"))
    assert refused.returncode == as_summarize.returncode == 1
    assert refused.stderr == as_summarize.stderr


@pytest.mark.parametrize(
    ("line", "arguments", "named"),
    [
        ({"sport": "quidditch"}, (), "notes.jsonl line 1: no sport sheet for 'quidditch'"),
        ({"category": "fine"}, (), "notes.jsonl line 1: category"),
        ({}, ("--sport", "tennis"), "no labelled note of: tennis"),
        ({}, ("--model", "claude-imaginary-9"), "claude-imaginary-9"),
        ({}, ("--out", "/proc/none/one.json"), "--out"),
    ],
)
def test_bad_input_ends_with_code_2_before_any_call(
    world: World, tmp_path: Path, line: dict[str, str], arguments: tuple[str, ...], named: str
) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text(json.dumps(NOTE | line), "utf-8")
    refused = in_process("evaluate", "--notes", str(path), *arguments)
    assert refused.returncode == 2
    assert named in refused.stderr
    assert world.ledger() == []
    assert world.meter()["requests"] == 0


def test_a_file_that_is_not_there_is_bad_input(world: World, tmp_path: Path) -> None:
    refused = in_process("evaluate", "--notes", str(tmp_path / "none.jsonl"))
    assert refused.returncode == 2
    assert "give a file of labelled notes with --notes" in refused.stderr


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_an_evaluation_that_ends_early_leaves_nothing_in_flight_on_the_ledger(
    world: World, notes: Path, tmp_path: Path, ending: signal.Signals
) -> None:
    world.fault(kind="slow_first_byte", share=1, seconds=3_600, match="Amelia")
    file = tmp_path / "one.json"
    options = ["--notes", str(notes), "--out", str(file)]
    process = subprocess.Popen([*TOUCHLINE, "evaluate", *options], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not world.ledger() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(ending)
    process.wait(60)
    if ending is signal.SIGKILL:  # nobody could tell: the next evaluation does, once nobody can hear them
        world.execute("UPDATE ai_usage_log SET occurred_at = occurred_at - interval '1 hour'")
        world.admin("DELETE", "faults")
        in_process("evaluate", "--notes", str(notes), "--limit", "1")
    else:
        assert process.returncode == 130
        assert json.loads(file.read_text("utf-8"))["rules"]["answered"]["passed"] == 0
    assert {row["outcome"] for row in world.ledger()} <= {"lost", "succeeded"}
    assert "lost" in {row["outcome"] for row in world.ledger()}
