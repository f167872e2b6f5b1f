"""The processes of `touchline up` on one machine: Prefect's server with its UI, a worker, the emulator."""

import asyncio
import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from cli.addresses import folder_of
from cli.keeper import require_untold
from cli.output import complain
from cli.processes import (
    POLL_SECONDS,
    Part,
    await_answer,
    descendants,
    end_below,
    free_port,
    is_free,
    running,
)
from core.errors import BadInput, NotReady

POOL = "touchline"
WORKER = "touchline up"
UI_PORT = 4200  # Prefect's own
LEASES_IN_FILES = "prefect.server.concurrency.lease_storage.filesystem"
START_SECONDS_MAX = 180
PUT_DOWN_SECONDS = 30  # for runs to leave what they have claimed to others
POOL_OPTIONS = ["--pool", POOL, "--type", "process", "--name", WORKER, "--install-policy", "never"]


def choose_port(asked: int | None) -> int:
    """Give the port for the UI: the one asked for, else 4200, else (said aloud) a free one.

    Raises BadInput when the one asked for is taken.
    """
    port = UI_PORT if asked is None else asked
    if port == 0:
        return free_port()
    if is_free(port):
        return port
    if asked is not None:
        raise BadInput(
            f"Port {port} is taken by another program: leave --port out, or give another (0: any)."
        )
    other = free_port()
    complain(f"Port {port} is taken by another program, so the UI is at port {other} this time.")
    return other


def check_named_api(named: str | None, port: int) -> None:
    """Raise BadInput when PREFECT_API_URL names another server than the one that is to be started."""
    if not named:
        return
    parts = urlsplit(named)
    if (parts.hostname, parts.port) in {("127.0.0.1", port), ("localhost", port)}:
        return
    raise BadInput(
        "PREFECT_API_URL names a server, and `touchline up` starts one: unset it. Or use that server: run "
        f"touchline bootstrap, then: prefect worker start --pool {POOL}"
    )


@contextmanager
def prefect_server(home: Path, port: int) -> Iterator[Part]:
    """Run Prefect's server, with its services and its UI, for as long as the block lasts."""
    ui_url = f"http://127.0.0.1:{port}"
    program = ["-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"]
    program += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning", "--lifespan", "on"]
    # An open page of the UI keeps its connection, and would keep the server from ending.
    program += ["--timeout-graceful-shutdown", "2"]
    environment = os.environ | {
        "PREFECT__SERVER_FINAL": "1",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_UI_API_URL": f"{ui_url}/api",
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
        # In memory, a restart would forget whose slots are taken, and Prefect ends runs that lose theirs.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES_IN_FILES,
    }
    log = folder_of(home) / "prefect-server.log"
    with running("Prefect server", [sys.executable, *program], log, environment) as part:
        yield part


@contextmanager
def first_start(prefect_home: Path) -> Iterator[None]:
    """Let one server at a time make Prefect's database; temporary ones wait for this lock, too."""
    prefect_home.mkdir(parents=True, exist_ok=True)
    with (prefect_home / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def emulator(home: Path, port: int) -> Iterator[Part]:
    """Run the emulator for as long as the block lasts; what it knows is kept for the next one."""
    state = folder_of(home) / "emulator.sqlite"
    command = [sys.executable, "-m", "emulator", "--port", str(port), "--state", str(state)]
    with running("emulator", command, folder_of(home) / "emulator.log", os.environ) as part:
        yield part


def emulator_port(home: Path) -> int:
    """Give the port that the emulator of this home had before, if it is free, else a new one.

    Its address is part of the account that message batches are sent and collected with.
    """
    remembered = folder_of(home) / "emulator.port"
    if remembered.exists() and is_free(port := int(remembered.read_text())):
        return port
    port = free_port()
    remembered.parent.mkdir(parents=True, exist_ok=True)
    remembered.write_text(str(port))
    return port


@contextmanager
def worker(home: Path, environment: Mapping[str, str]) -> Iterator[Part]:
    """Run a worker for as long as the block lasts.

    At the end the runs that it has started are told first: they put down what they hold. The worker would
    kill them at once.
    """
    command = [sys.executable, "-m", "prefect", "worker", "start", *POOL_OPTIONS]
    with running("worker", command, folder_of(home) / "worker.log", environment) as part:
        try:
            yield part
        finally:
            if runs := descendants(part.process.pid):
                with contextlib.suppress(OSError):  # nobody reads it any more
                    complain(f"Ending {len(runs)} run(s); this takes up to {PUT_DOWN_SECONDS} s ...")
            end_below(part.process.pid, seconds_max=PUT_DOWN_SECONDS)


def await_ready(parts: Sequence[Part], api_url: str, base_url: str | None) -> None:
    """Wait until server and emulator answer. Raises NotReady with the log's end when one has ended."""
    for url in [f"{base_url}/_emulator/clock"] * bool(base_url) + [f"{api_url}/health"]:
        await_answer(url, parts, seconds_max=START_SECONDS_MAX, look=require_untold)


async def await_worker(log: Path, since: datetime) -> None:
    """Wait until the worker has told the server that it lives. Raises NotReady when it never does."""
    from tasks.bootstrap import prefect_server as client_of_server

    deadline = time.monotonic() + START_SECONDS_MAX
    async with client_of_server() as client:
        while True:
            for one in await client.read_workers_for_work_pool(POOL):
                if one.name == WORKER and one.last_heartbeat_time and one.last_heartbeat_time >= since:
                    return
            if time.monotonic() > deadline:
                raise NotReady(f"The worker has not told the server that it lives; {log} may say why.")
            await asyncio.sleep(POLL_SECONDS)
