"""The command line as a person or a script uses it, always as a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from core.settings import Settings
from database import embedded
from tests.acceptance.commands import TOUCHLINE, in_process, told, told_by, touchline
from tests.acceptance.conftest import World
from tests.acceptance.night import evening, leave, load_alike, waiting
from tests.integration.stored_rows import Rows


def processes_that_mention(text: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            surroundings = (folder / "environ").read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended meanwhile, or is another user's
        if text in command + surroundings:
            found.append(command)
    return found


def test_help_imports_nothing_heavy() -> None:
    heavy = "{'prefect', 'sqlalchemy', 'sqlmodel', 'anthropic', 'great_expectations', 'pandas', 'pydantic'}"
    code = f"import cli.main, sys; loaded = {heavy} & set(sys.modules); assert not loaded, loaded"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_command_explains_itself() -> None:
    shown = touchline("--help")
    assert shown.returncode == 0
    for command in (
        "demo",
        "db",
        "ingest",
        "plan",
        "summarize",
        "overnight",
        "batches",
        "insights",
        "summaries",
        "prompts",
        "usage",
        "ledger",
        "config",
        "evaluate",
        "doctor",
    ):
        assert command in shown.stdout
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
    for group, commands in {
        "batches": ("list", "show", "cancel", "collect"),
        "config": ("list", "get", "set", "unset"),
    }.items():
        named = CliRunner().invoke(app, [group, "--help"]).stdout
        for command in commands:
            assert command in named
            assert CliRunner().invoke(app, [group, command, "--help"]).exit_code == 0


def test_a_night_with_nothing_due_says_where_insights_wait_and_stays_one_json_object(world: World) -> None:
    world.load(insights=3)
    night, collected = in_process("overnight", "--json"), in_process("batches", "collect", "--json")
    assert (night.returncode, collected.returncode) == (0, 0)
    assert json.loads(night.stdout)["insights"] == json.loads(collected.stdout)["insights"] == {}
    assert json.loads(night.stdout)["billed"]["calls"] == 0
    assert "Nothing was due in the overnight lane, but insights wait: 3 pending." in night.stderr
    assert "touchline config set lane" in night.stderr
    assert collected.stderr == ""
    assert world.states() == {"pending": 3}


def test_only_a_batch_that_the_api_has_can_be_cancelled_by_hand(world: World) -> None:
    rows = Rows(world.engine)
    account = Settings().account
    collected = rows.batch(account=account, state="collected", vendor_id="msgbatch_1")
    sent = rows.batch(account=account)
    others = rows.batch(state="open", vendor_id="msgbatch_2")
    for batch_id, said in (
        ("nobody", "no batch 'nobody'; list them with: touchline batches list"),
        (collected, "is collected: there is nothing left to cancel"),
        (sent, "is not known yet; run `touchline batches collect`"),
        (others, "set ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL to those"),
    ):
        refused = in_process("batches", "cancel", batch_id, "--json")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert said in refused.stderr
    unknown_here = rows.batch(account=account, state="open", vendor_id="msgbatch_3")
    refused = in_process("batches", "cancel", unknown_here)
    assert refused.returncode == 1
    assert "See with: touchline batches collect" in refused.stderr
    assert world.rows("SELECT batch_id FROM message_batch WHERE canceled_at IS NOT NULL") == []


def test_an_open_batch_is_collected_in_vain_then_cancelled_by_hand_and_collected(world: World) -> None:
    load_alike(world, players=2)
    clock = evening(world)
    leave(world, clock, sleeps=0)
    (batch_id,) = (row["batch_id"] for row in told_by("batches", "list", "--state", "open")["batches"])
    early = in_process("batches", "collect", "--json")
    assert json.loads(early.stdout)["insights"] == {"in_batch": 2}
    assert "2 insights are still in open batches" in early.stderr
    assert told_by("batches", "cancel", batch_id)["cancel_reason"] == "by_hand"
    clock.advance(60)
    assert told_by("batches", "collect")["insights"] == {"pending": 2}
    shown = told_by("batches", "show", batch_id)
    assert (shown["state"], shown["cancel_reason"]) == ("collected", "by_hand")
    (outcome,) = shown["outcomes"]
    assert (outcome["outcome"], outcome["items"], Decimal(outcome["cost_usd"])) == ("canceled", 2, Decimal(0))
    assert waiting(world) == [("pending", "batch_canceled", False, 2)]


def test_a_season_goes_through_all_commands(world: World, prefect_server: str, season: Path) -> None:
    loaded = told(touchline("ingest", str(season), "--json"), code=2)
    assert loaded["insights"]["inserted"] == 200
    assert sum(loaded["rejected"].values()) == 10
    again = told(in_process("ingest", str(season), "--json"), code=2)
    assert again["insights"] == {"inserted": 0, "updated": 0, "unchanged": 200}
    run = told(touchline("summarize", "--limit", "12", "--json", PREFECT_API_URL=prefect_server))
    assert sum(run["insights"].values()) - run["insights"].get("skipped", 0) == 12
    assert 0 < run["billed"]["calls"] <= 12
    summaries = told(in_process("summaries", "list", "--json"))["summaries"]
    assert len(summaries) == run["insights"]["summarized"]
    one = told(in_process("summaries", "show", summaries[0]["summary_id"], "--json"))
    assert one["insight_id"] == summaries[0]["insight_id"]
    ledger = told(in_process("ledger", "list", "--json"))["ledger"]
    assert len(ledger) == run["billed"]["attempts"]
    club = ledger[0]["organization_id"]
    usage = told(in_process("usage", "--org", club, "--json"))
    assert usage["calls"] == sum(row["organization_id"] == club for row in ledger)
    prompts = told(in_process("prompts", "list", "--json"))["prompts"]
    assert sum(prompt["summaries"] for prompt in prompts) == len(summaries)
    shown = told(in_process("prompts", "show", "--insight", one["insight_id"], "--json"))
    assert shown["version"] == one["prompt_version"]
    assert told(in_process("prompts", "diff", shown["version"], "--json"))["changed"] == []
    assert told(in_process("prompts", "tokens", "--count", "--sport", "rugby", "--json"))["counted"] is True
    refused = in_process("prompts", "diff", "ffff", "--json")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "touchline prompts list" in refused.stderr
    assert told(touchline("doctor", "--json"))["ok"] is True


def test_without_key_and_address_summarize_offers_the_emulator_and_claims_nothing(world: World) -> None:
    world.load(insights=3)
    refused = touchline("summarize", ANTHROPIC_BASE_URL="")
    assert refused.returncode == 1
    assert "touchline emulator" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert world.states() == {"pending": 3}


def test_an_unknown_model_is_bad_input_and_claims_nothing(world: World) -> None:
    world.load(insights=3)
    refused = in_process("summarize", "--model", "claude-imaginary-9")
    assert refused.returncode == 2
    assert "claude-imaginary-9" in refused.stderr
    assert world.states() == {"pending": 3}


def test_a_reached_spend_limit_ends_with_code_3_and_defers_everything(
    world: World, prefect_server: str
) -> None:
    world.load(insights=3)
    world.fault(kind="spend_cap", share=1)
    stopped = touchline("summarize", "--json", PREFECT_API_URL=prefect_server)
    assert told(stopped, code=3)["deferred"] == {"spend_limit": 3}
    assert world.states() == {"deferred": 3}


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"TOUCHLINE_CONCURRENCY": "many"}, "TOUCHLINE_CONCURRENCY"),
        ({"DATABASE_URL": "mysql://somewhere/else"}, "postgresql://"),
    ],
)
def test_a_wrong_environment_is_named(world: World, environment: dict[str, str], named: str) -> None:
    refused = touchline("insights", "list", **environment)
    assert refused.returncode == 2
    assert named in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_database_that_is_down_is_an_error_with_the_next_step(world: World) -> None:
    refused = touchline("insights", "list", DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert refused.returncode == 1
    assert "cannot be reached" in refused.stderr


@pytest.fixture
def own_home(tmp_path: Path) -> Iterator[Path]:
    """A home whose embedded database is gone afterwards, wherever its cluster lay."""
    yield tmp_path / "home"
    for home in (tmp_path / "home", tmp_path / "home" / "demo"):
        embedded.reset(home)


def test_the_embedded_database_starts_with_a_command_and_stops_with_it(own_home: Path) -> None:
    home = {"TOUCHLINE_HOME": str(own_home)}
    assert told(touchline("insights", "list", "--json", **home)) == {"insights": []}
    assert told(touchline("db", "status", "--json", **home))["running"] is False
    up = told(touchline("db", "up", "--json", **home))
    assert up["running"] is True
    assert up["revision"] == up["head"]
    touchline("insights", "list", **home)
    assert told(touchline("db", "status", "--json", **home))["running"] is True, "it was told to stay"
    assert told(touchline("db", "down", "--json", **home))["running"] is False


def test_the_demo_tells_the_whole_story_and_leaves_nothing_running(own_home: Path) -> None:
    home = own_home
    story = told(touchline("demo", "--json", TOUCHLINE_HOME=str(home), ANTHROPIC_API_KEY="must not be used"))
    assert set(story["insights"]) <= {"summarized", "skipped", "parked"}
    assert sum(story["insights"].values()) == 600
    bill, meter = story["bill"], story["meter"]
    assert bill["cost_usd"] == meter["cost_usd"]
    assert bill["attempts"] == meter["requests"]
    assert bill["calls"] < 0.4 * story["insights"]["summarized"], "one call answers several insights"
    assert bill["cache_hit_rate"] >= 0.9
    assert bill["efficiency"] >= 0.97
    assert story["saved_fraction"] > 0.5
    assert processes_that_mention(str(home)) == []
    assert not (home / "postgres").exists(), "the demo has a folder of its own"


def test_an_unknown_organization_is_bad_input(world: World, prefect_server: str) -> None:
    refused = touchline("summarize", "--org", "nowhere", PREFECT_API_URL=prefect_server)
    assert refused.returncode == 2
    assert "nowhere" in refused.stderr


def start_run(club: str, home: Path) -> "subprocess.Popen[str]":
    """Start a run for one club, in a process group of its own."""
    return subprocess.Popen(
        [*TOUCHLINE, "summarize", "--org", club],
        env=os.environ | {"TOUCHLINE_HOME": str(home)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_runs_that_are_told_to_end_give_back_what_they_hold_and_leave_nothing(
    world: World, tmp_path: Path
) -> None:
    """As Ctrl-C does it: the signal reaches the whole process group, a temporary Prefect server's aside."""
    world.load(insights=40)
    world.fault(kind="slow_first_byte", share=1, seconds=2)
    clubs = [row["id"] for row in world.rows("SELECT id FROM organization ORDER BY id")]
    endings = dict(zip(clubs, (signal.SIGINT, signal.SIGTERM), strict=True))
    runs = {club: start_run(club, tmp_path / club) for club in clubs}  # at once, which takes half the time
    waiting, deadline = dict(runs), time.monotonic() + 90
    while waiting:  # whichever gets going first: the other must not have ended before it is told to
        assert time.monotonic() < deadline, f"{sorted(waiting)} did not get going"
        for club in {row["organization_id"] for row in world.ledger()} & waiting.keys():
            os.killpg(waiting.pop(club).pid, endings[club])
        time.sleep(0.05)
    for club, process in runs.items():
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 128 + endings[club]
        assert "Traceback" not in complaint
        assert processes_that_mention(str(tmp_path / club)) == []
    assert set(world.states()) <= {"pending", "summarized"}
    assert "sent" not in {row["outcome"] for row in world.ledger()}


def test_a_home_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for command in (["insights", "list"], ["demo"]):
        refused = touchline(*command, TOUCHLINE_HOME=str(tmp_path / "file" / "home"))
        assert refused.returncode == 1
        assert "TOUCHLINE_HOME" in refused.stderr
        assert "Traceback" not in refused.stderr
