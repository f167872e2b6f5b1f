"""kill -9 in the middle of a run, then a new run."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from flows.summarize import summarize_pending
from tests.acceptance.conftest import World
from tests.integration.emulator_process import running_emulator

SECONDS_MAX = 90


def wait_until_in_the_middle(world: World, process: "subprocess.Popen[bytes]") -> None:
    """Return once some attempts are settled and some are in flight."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        assert process.poll() is None, "the run ended before it could be killed"
        outcomes = [row["outcome"] for row in world.ledger()]
        if outcomes.count("succeeded") >= 5 and "sent" in outcomes:
            return
        time.sleep(0.02)
    raise AssertionError("the run did not get going")


def test_after_a_kill_every_insight_gets_one_summary_and_what_was_in_flight_stays_on_the_ledger(
    world: World, prefect_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    insights = world.load(insights=80)
    with running_emulator("--tier", "unlimited", "--speed", "4") as slow:
        world.emulator_url = slow.base_url
        monkeypatch.setenv("ANTHROPIC_BASE_URL", slow.base_url)
        command = [sys.executable, "-c", "from cli.main import main; main()", "summarize", "--json"]
        environment = os.environ | {"PREFECT_API_URL": prefect_server}
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_until_in_the_middle(world, process)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        in_flight = {row["attempt_id"] for row in world.ledger() if row["outcome"] == "sent"}
        assert in_flight
        world.clock.shift += timedelta(seconds=601)
        asyncio.run(summarize_pending(clock=world.clock))
        requests = world.meter()["requests"]
    assert world.states() == {"summarized": len(insights)}
    once = world.rows("SELECT insight_id FROM summary GROUP BY insight_id HAVING count(*) = 1")
    assert len(once) == len(insights)
    lost = {row["attempt_id"] for row in world.ledger() if row["outcome"] == "lost"}
    assert lost == in_flight
    answered = len([row for row in world.ledger() if row["outcome"] == "succeeded"])
    assert answered <= requests <= answered + len(lost), "what was paid for is on the ledger"
