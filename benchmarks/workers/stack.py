"""What the benches of workers run on: Prefect's server, workers and databases, all of them temporary."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from benchmarks.workers.prefect_server import (
    POOL,
    ROOT,
    PrefectApi,
    PrefectServer,
    kill,
    start_prefect,
    stop,
    wait_until,
)
from benchmarks.workers.processes import marked_processes, parent_of
from core.prompt import sports
from database import embedded, migrate
from database.engine import connect
from examples.generate import Season, write_season
from tasks.season import ingest
from tests.integration.packaged_postgres import newest_packaged, running_packaged

SEED = 2026

_numbers = count(1)


@dataclass(slots=True)
class Stack:
    """A Prefect server that knows our deployments, whose schedules are off; workers are started on it."""

    home: Path
    server_url: str  # of the PostgreSQL server for our databases
    server: PrefectServer
    api: PrefectApi
    prefect_postmaster: int | None  # None: Prefect keeps its state in SQLite, in its own process
    workers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def workers_marker(self) -> str:
        """What the environment of all workers, and of all that they start, has a variable begin with."""
        return f"TOUCHLINE_HOME={self.home}/workers/"

    def start_worker(self, name: str, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """Start a worker that runs one flow at a time, and wait until it has told the server."""
        own = {"TOUCHLINE_HOME": str(self.home / "workers" / name), "ANTHROPIC_API_KEY": "bench"}
        command = ["worker", "start", "--pool", POOL, "--limit", "1", "--name", name]
        worker = start_prefect(
            command, self.server.environment | own | dict(environment), self.home / f"{name}.log"
        )
        self.workers.append(worker)
        wait_until(lambda: name in self.api.workers_online(), f"{self.home / name}.log: no worker")
        return worker

    def flow_processes(self, name: str) -> dict[str, list[int]]:
        """Give the processes of a worker by part: `flow` is what runs the flow."""
        return marked_processes(f"TOUCHLINE_HOME={self.home / 'workers' / name}")

    def stop_worker(self, worker: "subprocess.Popen[bytes]", name: str) -> None:
        """Stop a worker and whatever it has started."""
        stop(worker)
        for pids in self.flow_processes(name).values():
            for pid in pids:
                kill(pid)
        self.workers.remove(worker)


@contextmanager
def running_stack(home: Path, server_settings: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Have all that for as long as the block lasts; `home` is an empty folder."""
    with database_server(home) as ours, prefect_database(home) as prefects:
        server = PrefectServer(home, prefects, server_settings or {})
        postmaster = postmaster_of(prefects) if prefects else None
        stack = Stack(home, ours, server, PrefectApi(server.url), postmaster)
        try:
            server.start()
            register(server)
            stack.api.switch_schedules_off()
            yield stack
        finally:
            for process in [*stack.workers, server.process]:
                if process is not None:
                    stop(process)
            for pids in marked_processes(stack.workers_marker).values():
                for pid in pids:
                    kill(pid)


def register(server: PrefectServer) -> None:
    """Make pool, queues, automations and deployments as an operator does."""
    command = [sys.executable, "-c", "from cli.main import main; main()", "bootstrap", "--json"]
    subprocess.run(command, cwd=ROOT, env=server.environment, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def database_server(home: Path) -> Iterator[str]:
    """Have a PostgreSQL server: Debian's where it is installed, else the embedded one; gives its URL."""
    if binaries := newest_packaged():
        with running_packaged(binaries) as url:
            yield url
    else:
        with embedded.attached(home / "postgres") as url:
            yield url


@contextmanager
def prefect_database(home: Path) -> Iterator[str | None]:
    """Have a PostgreSQL of its own for Prefect, where Debian's is installed; None leaves it to SQLite."""
    if not newest_packaged():
        yield None
        return
    with database_server(home) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION pg_trgm")
        yield url


def loaded_template(server_url: str, home: Path, insights: int) -> str:
    """Make a database with a seeded season of so many insights; gives its name, to be copied."""
    name = f"season_{next(_numbers)}"
    url = copied_database(server_url, "template1", name)
    migrate.upgrade(url)
    players = max(60, insights * 3 // 10)
    season = Season(insights=insights, players=players, coaches=max(8, players // 25), seed=SEED, bad_lines=0)
    write_season(home / "season", season)
    engine = connect(url)
    ingest(engine, home / "season", home=home, sports=frozenset(sports()), now=datetime.now(UTC))
    engine.dispose()
    return name


def copied_database(server_url: str, template: str, name: str | None = None) -> str:
    """Copy a database; gives the copy's URL."""
    name = name or f"bench_{next(_numbers)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    return make_url(server_url).set(database=name).render_as_string(hide_password=False)


def postmaster_of(server_url: str) -> int:
    """Give the process of a PostgreSQL server."""
    with psycopg.connect(server_url) as connection:
        return parent_of(connection.info.backend_pid)
