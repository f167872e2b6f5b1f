"""`touchline up`: everything on this machine, from the database to Prefect's UI, until Ctrl-C."""

import asyncio
import importlib
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import machine
from cli.addresses import Addresses, announce, claim, find_up, folder_of, withdraw
from cli.demo import SEASON
from cli.keeper import beside, handed_over, require_untold
from cli.output import JsonOption, complain, console, print_facts, print_json
from cli.prefect_api import prepare_prefect
from cli.processes import Part, end_below, reap_orphans, require_alive
from cli.session import open_database, read_settings
from core.errors import NotReady

if TYPE_CHECKING:
    from core.settings import Settings

WATCH_SECONDS = 0.5
PortOption = Annotated[
    int | None,
    typer.Option("--port", min=0, max=65535, help="Of the UI (default: 4200, or a free one); 0: a free one."),
]


@dataclass(frozen=True, slots=True)
class Everything:
    """What runs, once it is ready."""

    addresses: Addresses
    settings: "Settings"
    parts: tuple[Part, ...]
    seconds: float


def up(port: PortOption = None, as_json: JsonOption = False) -> None:
    """Run database, Prefect's server with its UI, a worker and all schedules on this machine until Ctrl-C.

    Without ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL the emulator runs as well, as a rehearsal.
    """
    settings = read_settings()
    home = settings.home.absolute()
    if found := find_up(home):
        show_running(found, as_json=as_json)
        return
    port = machine.choose_port(port)
    machine.check_named_api(os.environ.get("PREFECT_API_URL"), port)
    code = handed_over(lambda: end_what_is_left(settings))
    if code is not None:
        raise typer.Exit(code if code >= 0 else 1)
    try:
        with claim(home) as is_first:
            if is_first:
                stay_up(home, port, as_json=as_json)
            elif found := find_up(home):  # one that was a moment quicker
                show_running(found, as_json=as_json)
            else:
                raise NotReady(
                    f"Another `touchline up` in {home} was starting, and has ended: run this again."
                )
    except KeyboardInterrupt:
        return  # the way to end it; all is stopped by now


def stay_up(home: Path, port: int, *, as_json: bool) -> None:
    """Start everything, tell where it is, and stay until told to end. Raises NotReady when a part ends."""
    try:
        with everything(home, port) as there:
            announce(home, there.addresses)
            show(there.addresses, as_json=as_json, seconds=there.seconds)
            watch(home, there)
    finally:
        withdraw(home)
        end_strays(home)


@contextmanager
def everything(home: Path, port: int) -> Iterator[Everything]:
    """Have all parts running and all deployments registered for as long as the block lasts."""
    from database.engine import database

    began = time.monotonic()
    complain("Starting the database, Prefect's server, a worker ...")
    level = os.environ.get("PREFECT_LOGGING_LEVEL", "INFO")  # of runs: the UI shows their logs
    base_url, api_url = point_here(home, port)
    settings = read_settings()
    parts: list[Part] = []
    with ExitStack() as stack:
        with machine.first_start(Path(os.environ["PREFECT_HOME"])):
            parts.append(stack.enter_context(machine.prefect_server(home, port)))
            if base_url:
                parts.append(stack.enter_context(machine.emulator(home, int(base_url.rpartition(":")[2]))))
            found = stack.enter_context(database(settings))
            beside(parts, lambda: importlib.import_module("tasks.schedules"))  # seconds: while servers start
            machine.await_ready(parts, api_url, base_url)
        environment = os.environ | {"PREFECT_LOGGING_LEVEL": level}
        parts.append(stack.enter_context(registered(settings, parts, environment)))
        addresses = Addresses(os.getppid(), api_url.removesuffix("/api"), api_url, found.shown_url, base_url)
        yield Everything(addresses, settings, tuple(parts), time.monotonic() - began)


def point_here(home: Path, port: int) -> tuple[str | None, str]:
    """Turn this process and its children to this home; gives the addresses of emulator, if any, and API."""
    prepare_prefect(home)
    api_url = f"http://127.0.0.1:{port}/api"
    links_lead_to = f"http://127.0.0.1:{port}/v2"  # where the UI opens; without it links open the old UI
    os.environ |= {"TOUCHLINE_HOME": str(home), "PREFECT_API_URL": api_url, "PREFECT_UI_URL": links_lead_to}
    settings = read_settings()
    if settings.anthropic_api_key or settings.anthropic_base_url:
        return None, api_url
    base_url = f"http://127.0.0.1:{machine.emulator_port(home)}"
    os.environ["ANTHROPIC_BASE_URL"] = base_url
    return base_url, api_url


@contextmanager
def registered(settings: "Settings", parts: Sequence[Part], environment: Mapping[str, str]) -> Iterator[Part]:
    """Register all that Prefect's server must know, and have a worker for as long as the block lasts."""
    from tasks.bootstrap import bootstrap
    from tasks.schedules import deploy_all

    beside(parts, lambda: asyncio.run(bootstrap(settings)))
    since = datetime.now(UTC)
    with machine.worker(settings.home, environment) as worker:
        beside([*parts, worker], lambda: deploy_all(settings))
        beside([*parts, worker], lambda: asyncio.run(machine.await_worker(worker.log, since)))
        yield worker


def watch(home: Path, there: Everything) -> None:
    """Stay until told to end. Raises NotReady when a part has ended; a database that has is started again."""
    announced = there.addresses
    while True:
        require_untold()
        require_alive(there.parts)
        reap_orphans(part.process.pid for part in there.parts)
        if there.settings.database_url is None and (moved := revived(home)) not in (None, announced.database):
            announced = replace(announced, database=str(moved))
            announce(home, announced)
        time.sleep(WATCH_SECONDS)


def revived(home: Path) -> str | None:
    """Start the embedded database when it has ended; gives its address, which a start changes, once ready."""
    from database import embedded
    from database.engine import Database

    if embedded.status(home).pid is None:
        complain("The database had ended; starting it again ...")
        with embedded.attached(home):
            pass  # we are a user of it already, so it stays
    url = embedded.status(home).url
    return Database(url, embedded=True).shown_url if url else None


def end_what_is_left(settings: "Settings") -> None:
    """End, after the process that kept all parts was killed, whatever it had started."""
    from database import embedded

    complain("The process that kept all parts of `touchline up` was killed; ending what it had started ...")
    home = settings.home.absolute()
    end_strays(home)
    if settings.database_url is None and not embedded.status(home).kept:
        embedded.down(home)
    withdraw(home)


def end_strays(home: Path) -> None:
    """End all processes below this one but the embedded database, which others may use."""
    from database import embedded

    database = embedded.status(home).pid
    end_below(os.getpid(), seconds_max=machine.PUT_DOWN_SECONDS, but=[database] if database else [])


def show_running(found: Addresses, *, as_json: bool) -> None:
    """Show where the `up` is that runs already."""
    prepare_prefect(read_settings().home)
    os.environ["PREFECT_API_URL"] = found.api_url
    complain(f"It is up already, as process {found.pid}.")
    show(found, as_json=as_json, seconds=None)


def show(addresses: Addresses, *, as_json: bool, seconds: float | None) -> None:
    """Tell where everything is and what runs when; a person is told the next step as well."""
    from cli.bootstrap import print_schedules
    from tasks.schedules import read_schedules

    schedules = asyncio.run(read_schedules(datetime.now(UTC)))
    if as_json:
        told = {name: value for name, value in asdict(addresses).items() if name != "pid"}
        print_json(told | {"schedules": [one.to_json() for one in schedules]})
        sys.stdout.flush()
        return
    settings = read_settings()
    print_facts(
        "Touchline is up" if seconds is None else f"Touchline is up, after {seconds:.0f} s",
        {
            "Prefect's UI": addresses.ui_url,
            "what needs you": f"{addresses.ui_url}/v2/artifacts/key/overview (after the first run)",
            "database": addresses.database,
            "calls go to": where_calls_go(addresses, settings),
            "logs": folder_of(settings.home),
        },
    )
    print_schedules(schedules)
    console().print("\n".join(next_steps(addresses)), soft_wrap=True)  # an address is copied whole
    sys.stdout.flush()


def where_calls_go(addresses: Addresses, settings: "Settings") -> str:
    """Say whether what runs costs money, or is a rehearsal."""
    if addresses.emulator:
        return (
            f"the emulator at {addresses.emulator}: a rehearsal, which costs nothing and never goes out. "
            "With ANTHROPIC_API_KEY set, the real API is used."
        )
    if settings.rehearsal:
        return f"{settings.base_url}: a rehearsal, which never goes out"
    return f"{settings.base_url}: they cost money, from the next run of `summarize` on"


def next_steps(addresses: Addresses) -> list[str]:
    """Say what to do next: load a season, or look at what the runs make of it."""
    from tasks.listing import count_by_state

    with open_database() as engine:
        counts = count_by_state(engine)
    waiting = counts.get("pending", 0) + counts.get("deferred", 0)
    if not counts:
        steps = [f"Next, in another terminal: touchline ingest {os.path.relpath(SEASON)}"]
    elif waiting:
        steps = [
            f"{waiting} insights wait; the next run takes those that are due. At once: touchline summarize"
        ]
    else:
        steps = ["Nothing waits for a run. What waits for a coach: touchline review list"]
    if addresses.emulator:
        steps += [f"Runs by hand, in another terminal: export ANTHROPIC_BASE_URL={addresses.emulator}"]
    return [*steps, "Ctrl-C ends it all."]
