"""prefect.yaml names flows that load, and no key that Prefect would silently ignore."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]
KNOWN = {"name", "description", "entrypoint", "tags", "parameters", "schedules"} | {
    "work_pool",
    "concurrency_limit",
}


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["name"])
def test_an_entrypoint_loads_as_a_flow(deployment: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.flows import Flow, load_flow_from_entrypoint

    monkeypatch.chdir(ROOT)
    flow: Flow[Any, Any] = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)
    assert isinstance(flow, Flow)
    assert set(deployment["parameters"]) <= set(flow.parameters.properties)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda deployment: deployment["name"])
def test_a_deployment_has_only_keys_that_mean_something(deployment: dict[str, Any]) -> None:
    from prefect.client.schemas.schedules import CronSchedule

    assert set(deployment) <= KNOWN
    assert set(deployment["work_pool"]) <= {"name", "work_queue_name", "job_variables"}
    assert set(deployment["concurrency_limit"]) == {"limit", "collision_strategy"}
    for schedule in deployment.get("schedules", ()):
        assert set(schedule) == {"cron", "timezone"}
        CronSchedule(**schedule)  # refuses what is no cron line, and what is no zone
