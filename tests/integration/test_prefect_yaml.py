"""prefect.yaml names flows that load, schedules that mean what they say, no key that Prefect ignores."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
PROJECT: dict[str, Any] = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))
DEPLOYMENTS: list[dict[str, Any]] = PROJECT["deployments"]
POOL: dict[str, Any] = yaml.safe_load((ROOT / "deployments" / "work-pool.yaml").read_text("utf-8"))
REQUIRED = {"name", "description", "entrypoint", "tags", "parameters", "work_pool"}
ZONE_VARIABLE = "{{ $TOUCHLINE_TIME_ZONE }}"
EACH_DEPLOYMENT = pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: one["name"])


@EACH_DEPLOYMENT
def test_an_entrypoint_loads_as_a_flow(deployment: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.flows import Flow, load_flow_from_entrypoint

    monkeypatch.chdir(ROOT)
    flow: Flow[Any, Any] = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False)
    assert isinstance(flow, Flow)
    assert set(deployment["parameters"]) <= set(flow.parameters.properties)


def test_the_file_has_only_keys_that_mean_something() -> None:
    assert set(PROJECT) == {"name", "prefect-version", "pull", "definitions", "deployments"}


@EACH_DEPLOYMENT
def test_a_deployment_has_only_keys_that_mean_something(deployment: dict[str, Any]) -> None:
    assert set(deployment) >= REQUIRED
    assert set(deployment) - REQUIRED <= {"schedules", "concurrency_limit"}
    assert set(deployment["work_pool"]) == {"name", "work_queue_name", "job_variables"}
    assert set(deployment["work_pool"]["job_variables"]) == {"env"}
    assert set(deployment.get("concurrency_limit", ())) <= {"limit", "collision_strategy"}
    assert all(set(schedule) == {"cron", "timezone"} for schedule in deployment.get("schedules", ()))


@EACH_DEPLOYMENT
def test_a_deployment_is_in_a_queue_that_is_made_for_it(deployment: dict[str, Any]) -> None:
    assert deployment["work_pool"]["name"] == POOL["name"]
    assert deployment["work_pool"]["work_queue_name"] in {queue["name"] for queue in POOL["queues"]}


@EACH_DEPLOYMENT
def test_what_a_schedule_starts_does_not_overlap(deployment: dict[str, Any]) -> None:
    if "schedules" in deployment:
        assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}


@pytest.mark.parametrize("zone", ["Europe/Dublin", "America/New_York", ""])
@EACH_DEPLOYMENT
def test_every_schedule_is_one_in_whatever_zone_is_set(deployment: dict[str, Any], zone: str) -> None:
    from prefect.client.schemas.schedules import CronSchedule

    for schedule in deployment.get("schedules", ()):
        assert schedule["timezone"] in {"UTC", ZONE_VARIABLE}
        CronSchedule(cron=schedule["cron"], timezone=schedule["timezone"].replace(ZONE_VARIABLE, zone))


async def starts(name: str, day: datetime) -> list[str]:
    """Give the times of a day at which a deployment starts, in the zone of that day."""
    from prefect.server.schemas.schedules import CronSchedule

    found = []
    for schedule in next(one for one in DEPLOYMENTS if one["name"] == name).get("schedules", ()):
        zone = schedule["timezone"].replace(ZONE_VARIABLE, str(day.tzinfo))
        dates = await CronSchedule(cron=schedule["cron"], timezone=zone).get_dates(
            200, start=day, end=day.replace(hour=23, minute=59)
        )
        found += [f"{date.astimezone(day.tzinfo):%H:%M}" for date in dates]
    return sorted(found)


async def starts_of_all(day: datetime) -> dict[str, list[str]]:
    """Give the times of a day at which each deployment starts."""
    return {one["name"]: await starts(one["name"], day) for one in DEPLOYMENTS}


def test_the_schedules_start_what_they_should_when_they_should() -> None:
    dublin = asyncio.run(starts_of_all(datetime(2026, 11, 30, tzinfo=ZoneInfo("Europe/Dublin"))))
    quarters = [f"{hour:02}:{minute:02}" for hour in range(6, 22) for minute in (0, 15, 30, 45)]
    assert dublin["summarize"] == [*quarters, "22:00"]
    assert dublin["overnight"] == ["22:30"]
    assert dublin["catch-up"] == []
    sunday = asyncio.run(starts_of_all(datetime(2026, 11, 29, tzinfo=UTC)))
    assert sunday["collect"] == [
        f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(0, 60, 10)
    ]
    assert sunday["nightly-rollup"] == ["01:00"]
    assert sunday["learn"] == ["02:00"]
    assert dublin["learn"] == []


def test_it_is_the_installed_prefect_that_the_file_names() -> None:
    import prefect

    assert PROJECT["prefect-version"] == prefect.__version__
