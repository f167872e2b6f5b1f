"""The deployments of prefect.yaml on Prefect's server: register them, and tell when they run next."""

import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule as ClientCron
from prefect.server.schemas.schedules import CronSchedule  # the one that knows its dates
from prefect.settings import get_current_settings

from core.errors import NotReady
from core.settings import Settings
from tasks.bootstrap import prefect_server

ROOT = Path(__file__).parent.parent
DEPLOY_SECONDS_MAX = 300


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A deployment on the server; `next_run` is None when nothing starts it by itself."""

    name: str
    description: str
    crons: tuple[str, ...]
    time_zone: str
    next_run: datetime | None
    paused: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it, the time in UTC."""
        return {
            "deployment": self.name,
            "description": self.description,
            "crons": list(self.crons),
            "time_zone": self.time_zone,
            "next_run": self.next_run,
            "paused": self.paused,
        }


def deploy_all(settings: Settings) -> None:
    """Register all deployments of prefect.yaml. Raises NotReady with what Prefect has said."""
    known = get_current_settings().to_environment_variables(exclude_unset=True)
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=ROOT,
        env=os.environ | known | {"PROJECT_DIR": str(ROOT), "TOUCHLINE_TIME_ZONE": settings.time_zone},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEPLOY_SECONDS_MAX,
        check=False,
    )
    if done.returncode:
        raise NotReady(f"The deployments of prefect.yaml were not registered:\n{done.stdout}{done.stderr}")


async def read_schedules(now: datetime) -> list[Scheduled]:
    """Give all deployments of prefect.yaml as the server has them, those that run next first.

    Raises NotReady when it lacks one, or does not answer.
    """
    project = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))
    wanted = {one["name"]: one["work_pool"]["name"] for one in project["deployments"]}
    named = DeploymentFilter(name=DeploymentFilterName(any_=list(wanted)))
    async with prefect_server() as client:
        there = await client.read_deployments(deployment_filter=named)
    ours = {one.name: one for one in there if one.work_pool_name == wanted[one.name]}
    if missing := wanted.keys() - ours.keys():
        raise NotReady(f"Prefect's server lacks {', '.join(sorted(missing))}: run `touchline bootstrap`.")
    found = [await _scheduled(one, now) for one in ours.values()]
    return sorted(found, key=lambda one: (one.next_run is None, one.next_run or now, one.name))


async def _scheduled(deployment: DeploymentResponse, now: datetime) -> Scheduled:
    active = [one.schedule for one in deployment.schedules if one.active and not deployment.paused]
    crons = [schedule for schedule in active if isinstance(schedule, ClientCron)]
    runs = [
        run
        for schedule in crons
        for run in await CronSchedule.model_validate(schedule.model_dump()).get_dates(1, start=now)
    ]
    return Scheduled(
        deployment.name,
        deployment.description or "",
        tuple(schedule.cron for schedule in crons),
        next((schedule.timezone for schedule in crons if schedule.timezone), "UTC"),
        min(runs, default=None),
        deployment.paused,
    )
