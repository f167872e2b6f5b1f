"""Four worker processes on one backlog: nothing is asked twice, and each prefix is written once."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import World
from tests.acceptance.packs import asked_about
from tests.acceptance.test_run_rows import EXAMPLE
from tests.acceptance.test_summarize import assert_books_equal
from tests.integration.emulator_process import running_emulator

ROOT = Path(__file__).parents[2]
WORKERS = 4
SECONDS_MAX = 120


def run_workers(folder: Path, prefect_server: str) -> list[dict[str, Any]]:
    """Let the workers run until all have ended; gives their reports."""
    folder.mkdir()
    environment = os.environ | {"PREFECT_API_URL": prefect_server, "TOUCHLINE_CONCURRENCY": "5"}
    command = [sys.executable, "-m", "tests.acceptance.worker", str(folder), str(WORKERS)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, timeout=SECONDS_MAX, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{n}.json").read_text("utf-8")) for n in range(WORKERS)]


def writes_of_shared_prefixes(world: World) -> Counter[str]:
    """Count how often each prefix that several calls begin with was written."""
    calls = world.admin("GET", "calls?limit=10000")["calls"]
    prefixes = [prefix for call in calls for prefix in call["prefixes"]]
    uses = Counter(prefix["hash"] for prefix in prefixes)
    written = Counter(prefix["hash"] for prefix in prefixes if prefix["action"] == "write")
    return Counter({one: written[one] for one, number in uses.items() if number > 1})


def test_four_workers_on_one_backlog_ask_nothing_twice_and_write_each_prefix_once(
    world: World, prefect_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(world, season=EXAMPLE).load()
    with running_emulator("--tier", "unlimited", "--speed", "10") as emulator:
        world.emulator_url = emulator.base_url
        monkeypatch.setenv("ANTHROPIC_BASE_URL", emulator.base_url)
        reports = run_workers(tmp_path / "reports", prefect_server)
        assert set(world.states()) == {"summarized", "skipped"}
        worked = [report for report in reports if report["billed"]["calls"]]
        assert len(worked) >= WORKERS - 1, "a busy machine may start one of them too late"
        asked = Counter(insight for attempt in asked_about(world) for insight in attempt)
        assert set(asked.values()) == {1}
        assert world.meter()["requests"] == sum(report["billed"]["attempts"] for report in reports)
        assert_books_equal(world)
        writes = writes_of_shared_prefixes(world)
    assert len(writes) > 10
    assert set(writes.values()) == {1}
