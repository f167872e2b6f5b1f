"""A worker runs a deployment and its flow is killed in the middle: what Prefect shows, and all goes on."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from prefect.workers.process import ProcessWorker

from benchmarks.workers.prefect_server import PrefectApi, kill, start_prefect, stop, wait_until
from benchmarks.workers.processes import marked_processes
from benchmarks.workers.proofs import asked_again, asked_twice
from flows.summarize import summarize_pending
from tests.acceptance.conftest import World
from tests.integration.emulator_process import running_emulator

ROOT = Path(__file__).parents[2]
INSIGHTS = 80
SECONDS_MAX = 240  # of each wait, on a busy machine


@pytest.fixture
def api(prefect_server: str) -> PrefectApi:
    """The session's Prefect server, as the benches ask it."""
    return PrefectApi(prefect_server)


@pytest.fixture
def deployment(api: PrefectApi) -> str:
    """The deployment `summarize` of prefect.yaml, unscheduled, on a pool of its own; gives their name."""
    project = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))
    (wanted,) = [one for one in project["deployments"] if one["name"] == "summarize"]
    name = f"crash-{uuid4().hex[:8]}"
    template = ProcessWorker.get_default_base_job_template()
    api.ask("POST", "/work_pools/", {"name": name, "type": "process", "base_job_template": template})
    limit = wanted["concurrency_limit"]
    step = {"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}
    api.ask(
        "POST",
        "/deployments/",
        {
            "flow_id": api.ask("POST", "/flows/", {"name": "summarize-pending"})["id"],
            "name": name,
            "entrypoint": wanted["entrypoint"],
            "work_pool_name": name,
            "job_variables": wanted["work_pool"]["job_variables"],
            "concurrency_limit": limit["limit"],
            "concurrency_options": {"collision_strategy": limit["collision_strategy"]},
            "pull_steps": [step],
        },
    )
    return name


@pytest.fixture
def worker(deployment: str, prefect_server: str, world: World, tmp_path: Path) -> Iterator[str]:
    """A worker on that pool; gives what marks the processes that it starts."""
    environment = os.environ | {
        "PREFECT_API_URL": prefect_server,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }
    command = ["worker", "start", "--pool", deployment, "--limit", "1", "--name", deployment]
    marker = f"TOUCHLINE_HOME={world.home}"
    process = start_prefect(command, environment, tmp_path / "worker.log")
    try:
        yield marker
    finally:
        stop(process)
        for pid in marked_processes(marker)["flow"]:
            kill(pid)


def is_in_the_middle(world: World) -> bool:
    """Say whether some attempts are settled and some in flight."""
    outcomes = [row["outcome"] for row in world.ledger()]
    return outcomes.count("succeeded") >= 3 and "sent" in outcomes


def asked(world: World) -> dict[str, tuple[str, list[str]]]:
    """Give the outcome and the insights of each attempt."""
    rows = world.rows(
        "SELECT attempt_id, outcome, array_agg(insight_id ORDER BY insight_id) AS ids"
        " FROM ai_usage_log JOIN ai_usage_insight USING (attempt_id) GROUP BY attempt_id, outcome"
    )
    return {row["attempt_id"]: (row["outcome"], row["ids"]) for row in rows}


def test_a_killed_flow_is_shown_as_crashed_and_the_next_run_finishes_without_asking_again_what_was_answered(
    world: World, api: PrefectApi, deployment: str, worker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    insights = world.load(insights=INSIGHTS)
    with running_emulator("--tier", "unlimited") as slow:
        world.emulator_url = slow.base_url
        answering = {"ANTHROPIC_BASE_URL": slow.base_url, "ANTHROPIC_API_KEY": "test-key"}
        killed = api.trigger(deployment, TOUCHLINE_CONCURRENCY="2", **answering)
        wait_until(lambda: is_in_the_middle(world), "the run did not get going", SECONDS_MAX)
        (flow,) = marked_processes(worker)["flow"]
        kill(flow)
        wait_until(lambda: api.state(killed) == "CRASHED", "not shown as crashed", SECONDS_MAX)
        wait_until(lambda: api.slots_taken(deployment) == 0, "the slot is still held", SECONDS_MAX)
        before = asked(world)
        answered = [row["insight_id"] for row in world.rows("SELECT insight_id FROM summary")]
        in_flight = {attempt for attempt, (outcome, _) in before.items() if outcome == "sent"}
        assert in_flight
        world.execute(
            "UPDATE insight SET lease_until = lease_until - interval '1 hour' WHERE state = 'claimed'"
        )
        monkeypatch.setenv("ANTHROPIC_BASE_URL", slow.base_url)
        asyncio.run(summarize_pending())
        requests = world.meter()["requests"]
    assert "status code: -9" in api.states(killed)[-1][2]
    after = asked(world)
    assert world.states() == {"summarized": len(insights)}
    assert asked_twice(after.values()) == []
    later = [insight for attempt, (_, ids) in after.items() if attempt not in before for insight in ids]
    assert asked_again(answered, later) == []
    assert {attempt for attempt, (outcome, _) in after.items() if outcome == "lost"} == in_flight
    assert len(after) - len(in_flight) <= requests <= len(after), "what was paid for is on the ledger"
