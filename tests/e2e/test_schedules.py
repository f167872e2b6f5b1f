"""Schedules fire by themselves, a worker runs what they start, and the shipped ones have the right hours."""

from collections.abc import Collection
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import CronSchedule

from tests.e2e.conftest import FAR_FROM_UTC
from tests.e2e.touchline_up import RunningUp

QUARTERS, TENS = range(0, 60, 15), range(0, 60, 10)


@pytest.mark.parametrize(
    ("deployment", "cron", "zone", "hours", "minutes"),
    [
        ("summarize", "*/15 6-21 * * *", FAR_FROM_UTC, range(6, 22), QUARTERS),
        ("summarize", "0 22 * * *", FAR_FROM_UTC, [22], [0]),
        ("overnight", "30 22 * * *", FAR_FROM_UTC, [22], [30]),
        ("collect", "*/10 * * * *", "UTC", range(24), TENS),
        ("nightly-rollup", "0 1 * * *", "UTC", [1], [0]),
        ("learn", "0 2 * * 0", "UTC", [2], [0]),
    ],
)
def test_a_shipped_schedule_is_active_and_the_next_runs_wait_for_the_right_hours_of_the_right_zone(
    up: RunningUp, deployment: str, cron: str, zone: str, hours: Collection[int], minutes: Collection[int]
) -> None:
    there = up.deployment(deployment)
    (found,) = [
        one for one in there.schedules if isinstance(one.schedule, CronSchedule) and one.schedule.cron == cron
    ]
    assert isinstance(found.schedule, CronSchedule)
    assert found.active
    assert not there.paused
    assert found.schedule.timezone == zone
    for run in up.await_planned(deployment, found.id):
        assert run.expected_start_time is not None
        at = run.expected_start_time.astimezone(ZoneInfo(zone))
        assert (at.hour in hours, at.minute in minutes, at.second) == (True, True, 0), at
        assert deployment != "learn" or at.strftime("%A") == "Sunday"


def test_what_helps_with_a_backlog_has_no_schedule(up: RunningUp) -> None:
    assert up.deployment("catch-up").schedules == []


def test_a_schedule_has_a_worker_summarize_the_season(summarized: FlowRun) -> None:
    assert summarized.work_queue_name == "live"
    assert {"auto-scheduled", "live", "org:club-01", "org:club-02", "org:club-03"} <= set(summarized.tags)
    assert summarized.start_time is not None
    assert summarized.expected_start_time is not None
    assert summarized.start_time >= summarized.expected_start_time.astimezone(UTC)


def test_a_schedule_has_a_worker_roll_up_what_it_has_cost(rolled_up: FlowRun) -> None:
    assert rolled_up.work_queue_name == "nightly"
    assert "needs-attention" not in rolled_up.tags
