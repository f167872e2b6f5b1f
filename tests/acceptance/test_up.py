"""`touchline up`: everything on one machine, found by other commands, and gone without a trace."""

import json
import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from tests.acceptance.commands import TOUCHLINE, told

START_SECONDS_MAX = 300  # half a minute on an idle machine
SCHEDULER_SECONDS_MAX = 90  # it looks for new deployments every 5 s, when it has the time
ADDRESSES = ("ui_url", "api_url", "database", "emulator")
DEPLOYMENTS = {"summarize", "catch-up", "overnight", "collect", "nightly-rollup", "learn"}


@dataclass
class RunningUp:
    """A running `up`: its process, its home, and the one JSON object that it has printed."""

    process: "subprocess.Popen[str]"
    home: Path
    told: dict[str, Any]

    def post(self, path: str, **asked: Any) -> Any:
        """Ask the API of its Prefect server."""
        answer = httpx.post(f"{self.told['api_url']}/{path}", json=asked, timeout=30)
        answer.raise_for_status()
        return answer.json()


def surroundings(home: Path) -> dict[str, str]:
    """The environment of a newcomer: no key, no database, no server, a home of their own."""
    named = ("PREFECT_", "TOUCHLINE_", "ANTHROPIC_", "DATABASE_URL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(named)}
    return kept | {"TOUCHLINE_HOME": str(home)}


def command(*arguments: str, home: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command in a newcomer's second terminal."""
    return subprocess.run(
        [*TOUCHLINE, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=surroundings(home),
        timeout=240,
    )


def processes_of(home: Path) -> list[str]:
    """The command lines of all live processes that have this home in their environment or arguments."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            told = command + (folder / "environ").read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended meanwhile, or is another user's
        if command and str(home) in told:
            found.append(command)
    return found


@contextmanager
def running_up(home: Path) -> Iterator[RunningUp]:
    """Run `up` on free ports; whatever the test does, nothing of it is left."""
    complaints = (home.parent / "up.err").open("w")
    process = subprocess.Popen(
        [*TOUCHLINE, "up", "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
        env=surroundings(home),
    )
    too_late = threading.Timer(START_SECONDS_MAX, process.terminate)
    try:
        too_late.start()
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (home.parent / "up.err").read_text()
        yield RunningUp(process, home, json.loads(line))
    finally:
        too_late.cancel()
        process.terminate()
        process.wait(90)
        complaints.close()


def get(url: str) -> str:
    """GET as a browser does; gives the text."""
    asked = urllib.request.Request(url, headers={"accept": "text/html"})
    with urllib.request.urlopen(asked, timeout=30) as page:
        return str(page.read().decode())


def check_ui(up: RunningUp) -> None:
    """The printed address shows the UI, and the UI asks this server."""
    assert "<title>" in get(up.told["ui_url"])
    assert json.loads(get(f"{up.told['ui_url']}/ui-settings"))["api_url"] == up.told["api_url"]
    assert get(f"{up.told['api_url']}/health") == "true"


def check_schedules(up: RunningUp, began: datetime) -> None:
    """All deployments are there; those with a schedule say when they run next, and a worker waits."""
    schedules = {one["deployment"]: one for one in up.told["schedules"]}
    assert schedules.keys() == DEPLOYMENTS == {one["name"] for one in up.post("deployments/filter")}
    assert schedules["catch-up"]["next_run"] is None
    for name in DEPLOYMENTS - {"catch-up"}:
        assert datetime.fromisoformat(schedules[name]["next_run"]) > began
    (worker,) = up.post("work_pools/touchline/workers/filter")
    assert worker["status"] == "ONLINE"


def check_found(up: RunningUp) -> None:
    """A second `up` finds the first, and a run by hand shows in its API: no server is started for it."""
    again = told(command("up", "--json", home=up.home))
    assert {name: again[name] for name in ADDRESSES} == {name: up.told[name] for name in ADDRESSES}
    assert told(command("rollup", "--json", home=up.home))["days"] == []
    (run,) = up.post("flow_runs/filter", flow_runs={"deployment_id": {"is_null_": True}})
    assert run["state_type"] == "COMPLETED"
    assert not (up.home / "prefect" / "server.log").exists()


def check_scheduler(up: RunningUp) -> None:
    """The server itself makes the runs that are to come: without them no schedule ever starts anything."""
    deadline = time.monotonic() + SCHEDULER_SECONDS_MAX
    while not (runs := up.post("flow_runs/filter", flow_runs={"state": {"type": {"any_": ["SCHEDULED"]}}})):
        assert time.monotonic() < deadline, (up.home / "up" / "prefect-server.log").read_text()[-3000:]
        time.sleep(0.5)
    assert all(run["auto_scheduled"] for run in runs)


def test_up_runs_everything_is_found_by_other_commands_and_leaves_nothing_behind(tmp_path: Path) -> None:
    began, home = datetime.now(UTC), tmp_path / "home"
    with running_up(home) as up:
        assert up.told.keys() == {*ADDRESSES, "schedules"}
        check_ui(up)
        check_schedules(up, began)
        check_found(up)
        check_scheduler(up)
        assert len(processes_of(home)) >= 5  # command, keeper, server, worker, emulator
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(90) == 0
        assert processes_of(home) == []
    assert not (home / "up" / "addresses.json").exists()
