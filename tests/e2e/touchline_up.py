"""`touchline up` as a person starts it: a process with a home of its own, watched through Prefect's API."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.client.schemas.sorting import FlowRunSort

from tests.acceptance.commands import TOUCHLINE, touchline

EVERY_MINUTE = "* * * * *"
STOP_SECONDS_MAX = 90
PLAN_SECONDS_MAX = 120  # the scheduler looks every minute
RUN_SECONDS_MAX = 480  # to the next full minute, to the worker's next look, the run, on a busy machine
POLL_SECONDS = 0.5
BAD_ENDINGS = {StateType.FAILED, StateType.CRASHED}


@dataclass(frozen=True, slots=True)
class RunningUp:
    """A `touchline up` that is ready: where its UI is, the environment for other commands, its API."""

    ui_url: str
    environment: dict[str, str]
    client: SyncPrefectClient

    def by_hand(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run another command in the same home."""
        return touchline(*arguments, **self.environment)

    def deployment(self, name: str) -> DeploymentResponse:
        """Give a deployment by its own name."""
        named = DeploymentFilter(name=DeploymentFilterName(any_=[name]))
        (found,) = self.client.read_deployments(deployment_filter=named)
        return found

    def await_planned(self, deployment: str, schedule_id: UUID) -> list[FlowRun]:
        """Wait until the scheduler has made runs for a schedule; gives those that wait for their time."""
        waiting = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED]))
        deadline = time.monotonic() + PLAN_SECONDS_MAX
        while time.monotonic() < deadline:
            runs = self._runs(deployment, FlowRunFilter(state=waiting))
            planned = [run for run in runs if run.created_by and run.created_by.id == schedule_id]
            if planned:
                return planned
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"nothing was planned for {deployment} in {PLAN_SECONDS_MAX} s")

    @contextmanager
    def every_minute(self, deployment: str) -> Iterator[None]:
        """Have a deployment run every minute, besides its own schedules, for as long as the block lasts."""
        there = self.deployment(deployment)
        schedule = DeploymentScheduleCreate(schedule=CronSchedule(cron=EVERY_MINUTE, timezone="UTC"))
        (made,) = self.client.create_deployment_schedules(there.id, [schedule])
        try:
            yield
        finally:
            self.client.delete_deployment_schedule(there.id, made.id)

    def await_run(self, deployment: str, named: str) -> FlowRun:
        """Wait until a run that a schedule has started is completed with such a name. Fails if one fails."""
        deadline = time.monotonic() + RUN_SECONDS_MAX
        while time.monotonic() < deadline:
            runs = self._runs(deployment)
            for run in runs:
                assert run.state_type not in BAD_ENDINGS, f"{run.name}: {run.state and run.state.message}"
                if run.auto_scheduled and run.state_type == StateType.COMPLETED and re.match(named, run.name):
                    return run
            time.sleep(POLL_SECONDS)
        seen = [f"{run.name} ({run.state_name})" for run in runs if run.state_type != StateType.SCHEDULED]
        raise AssertionError(f"no run of {deployment} was named {named!r} in {RUN_SECONDS_MAX} s: {seen}")

    def _runs(self, deployment: str, which: FlowRunFilter | None = None) -> list[FlowRun]:
        named = DeploymentFilter(name=DeploymentFilterName(any_=[deployment]))
        earliest_first = FlowRunSort.EXPECTED_START_TIME_ASC
        return self.client.read_flow_runs(
            deployment_filter=named, flow_run_filter=which, sort=earliest_first, limit=200
        )


@contextmanager
def running_up(home: Path, **environment: str) -> Iterator[RunningUp]:
    """Run `touchline up` on free ports until the block ends; its complaints are in `home`/up.stderr."""
    ours = {"TOUCHLINE_HOME": str(home), **environment}
    others = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    with (home / "up.stderr").open("wb") as complaints:
        process = subprocess.Popen(
            [*TOUCHLINE, "up", "--port", "0", "--json"],
            env=others | ours,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"up ended with {process.wait()}: {(home / 'up.stderr').read_text()}"
        told = json.loads(line)
        with SyncPrefectClient(told["api_url"]) as client:
            yield RunningUp(told["ui_url"], ours, client)
    finally:
        _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    """Press Ctrl-C, and kill what does not listen."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
