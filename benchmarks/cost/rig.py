"""Where contenders run: emulators, a database server and a Prefect server, all of them temporary.

One database server and one Prefect server serve the whole bench; every run of Touchline gets a database of
its own, copied from one that holds the season, and every contender an emulator of its own.
"""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from anthropic import Anthropic
from sqlalchemy.engine import make_url

from benchmarks.cost.job import READY, Job, Told
from cli.emulator import running_process
from cli.prefect_api import prefect_api
from core.prompt import sports
from core.states import Lane
from database import embedded, migrate
from database.engine import connect
from tasks.config import set_setting
from tasks.season import ingest

OURS = ("ANTHROPIC_", "TOUCHLINE_", "DATABASE_URL", "PREFECT_")
QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_TELEMETRY": "False",
    "LITELLM_LOG": "ERROR",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "MPLBACKEND": "Agg",
    "NO_PROXY": "127.0.0.1",
}

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Rig:
    """What is there for the whole bench."""

    home: Path
    server_url: str

    def place(self, name: str) -> Path:
        """Return a path in the bench's folder that nobody has used."""
        return self.home / f"{next(_numbers):03}-{name}"


@contextmanager
def rig() -> Iterator[Rig]:
    """Have all that for as long as the block lasts; the environment is then the bench's own."""
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]
    os.environ |= QUIET
    with TemporaryDirectory(prefix="touchline-bench-") as folder:
        home = Path(folder)
        with embedded.attached(home) as url, prefect_api(home):
            from prefect.settings import PREFECT_API_URL

            os.environ["PREFECT_API_URL"] = PREFECT_API_URL.value() or ""
            yield Rig(home, url)


@contextmanager
def fresh_database(of: Rig, template: str = "template1") -> Iterator[str]:
    """Make a database on the server, and drop it; gives its URL."""
    name = f"bench_{next(_numbers)}"
    with psycopg.connect(of.server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        try:
            yield make_url(of.server_url).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@contextmanager
def loaded_database(of: Rig, season: Path | None) -> Iterator[str]:
    """Have a database that holds a season, or nothing yet; gives its name, to be copied."""
    with fresh_database(of) as url:
        migrate.upgrade(url)
        if season:
            engine = connect(url)
            ingest(engine, season, home=of.home, sports=frozenset(sports()), now=datetime.now(UTC))
            engine.dispose()
        yield str(make_url(url).database)


def choose_lane(url: str, lane: Lane) -> None:
    """Have all clubs of a database choose a lane."""
    engine = connect(url)
    set_setting(engine, "lane", lane, None, changed_by="bench", now=datetime.now(UTC))
    engine.dispose()


@contextmanager
def emulators(options: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Have an emulator for each list of options; gives their base URLs."""
    with ExitStack() as running:
        yield tuple(running.enter_context(running_process(list(given)))[1] for given in options)


@contextmanager
def waiting_child(contender: str, home: Path, settings: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """Have a process that will run a contender once it gets its job; it never outlives the block."""
    home.mkdir()
    own = {"TOUCHLINE_HOME": str(home), "ANTHROPIC_API_KEY": "bench", **settings}
    command = [sys.executable, "-m", "benchmarks.cost.child", contender]
    with subprocess.Popen(
        command, env=os.environ | own, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until_ready(process: "subprocess.Popen[str]") -> None:
    """Return once a process has imported what it needs. Raises CalledProcessError when it fails at that."""
    assert process.stdout is not None
    if process.stdout.readline().strip() != READY:
        raise subprocess.CalledProcessError(process.wait(), process.args)


def told_by(process: "subprocess.Popen[str]", job: Job) -> Told:
    """Give a waiting process its job, and wait for what it tells. Raises CalledProcessError when it fails."""
    answer, _ = process.communicate(job.to_json() + "\n")
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return Told.from_json(answer.splitlines()[-1])


def asked_of(base_url: str, path: str) -> Any:
    """Ask the emulator's admin interface."""
    with urllib.request.urlopen(f"{base_url}/_emulator/{path}", timeout=60) as answer:
        return json.load(answer)


def counted_tokens(base_url: str, body: dict[str, Any]) -> int:
    """Return the tokens of a prompt as the API counts them, for free."""
    client = Anthropic(api_key="bench", base_url=base_url)
    counted = {name: value for name, value in body.items() if name != "max_tokens"}
    return client.messages.count_tokens(**counted).input_tokens
