"""`touchline bootstrap`: what Prefect's server must know of us, made or made right again."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from rich.table import Table

from cli.output import JsonOption, complain, console, print_json, print_rows
from cli.prefect_api import prepare_prefect
from cli.session import read_settings
from core.errors import NotReady

if TYPE_CHECKING:
    from tasks.schedules import Scheduled


def bootstrap(as_json: JsonOption = False) -> None:
    """Make work pool, queues, automations and deployments on Prefect's server; twice changes nothing.

    The files are deployments/work-pool.yaml, deployments/automations.yaml and prefect.yaml.
    """
    settings = read_settings()
    prepare_prefect(settings.home)
    require_prefect_api()
    from tasks.bootstrap import bootstrap as make
    from tasks.schedules import deploy_all, read_schedules

    made = asyncio.run(make(settings))
    deploy_all(settings)
    schedules = asyncio.run(read_schedules(datetime.now(UTC)))
    if as_json:
        rows = [one.to_json() for one in schedules]
        print_json({"made": [one.to_json() for one in made], "deployments": rows})
        return
    print_rows("On Prefect's server", [one.to_json() for one in made])
    print_schedules(schedules)
    if settings.alert_webhook is None:
        complain("Alerts are sent nowhere: set TOUCHLINE_ALERT_WEBHOOK and run this again, if you want them.")


def require_prefect_api() -> None:
    """Raise NotReady when nothing says which server is meant: a temporary one would forget it all."""
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value():
        raise NotReady(
            "PREFECT_API_URL is not set: start a server (prefect server start) and set it to its address, "
            "such as http://127.0.0.1:4200/api. Or have everything on this machine: touchline up"
        )


def print_schedules(schedules: "Sequence[Scheduled]") -> None:
    """Show a person what will run when, each in the zone of its schedule."""
    table = Table(title="What runs when", title_justify="left")
    for heading in ("deployment", "next run", "schedule", "what it does"):
        table.add_column(heading, overflow="fold")
    for one in schedules:
        zone = ZoneInfo(one.time_zone)
        when = "by hand" if one.next_run is None else f"{one.next_run.astimezone(zone):%a %d %b %H:%M}"
        crons = f"{'; '.join(one.crons)} ({one.time_zone})" if one.crons else ""
        table.add_row(one.name, "paused" if one.paused else when, crons, one.description)
    console().print(table)
