"""Prefect's server as a process that can be killed and comes back, and what is asked of it."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy.engine import make_url

from benchmarks.cost.rig import OURS

ROOT = Path(__file__).parents[2]
POOL = "touchline"
START_SECONDS_MAX = 240
STOP_SECONDS_MAX = 20
SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
QUIET = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "NO_PROXY": "127.0.0.1"}


class PrefectServer:
    """`prefect server start` on a free port that stays the same over restarts, with a database of its own."""

    def __init__(self, home: Path, database_url: str | None, settings: Mapping[str, str]) -> None:
        self._log, self._port = home / "server.log", free_port()
        self.url = f"http://127.0.0.1:{self._port}/api"
        self.environment = clean_environment() | QUIET
        self.environment |= {"PREFECT_HOME": str(home / "prefect"), "PREFECT_API_URL": self.url}
        self._own_environment = self.environment | dict(settings)
        if database_url:
            url = make_url(database_url).set(drivername="postgresql+asyncpg")
            self._own_environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = url.render_as_string()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it is healthy."""
        command = ["server", "start", "--host", "127.0.0.1", "--port", str(self._port)]
        self.process = process = start_prefect(command, self._own_environment, self._log)
        wait_until(lambda: process.poll() is not None or self.is_healthy(), f"{self._log}: not healthy")
        if process.poll() is not None:
            raise RuntimeError(f"Prefect's server ended; {self._log} says why")

    def is_healthy(self) -> bool:
        """Say whether it answers."""
        try:
            return httpx2.get(f"{self.url}/health", timeout=5).status_code == 200
        except httpx2.TransportError:
            return False

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


class PrefectApi:
    """What the benches ask of Prefect's server."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.Client(base_url=url, timeout=60)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Make a request; gives the answer, None for an empty one. Raises what httpx2 raises."""
        answer = self._http.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def workers_online(self) -> set[str]:
        """Give the names of the workers that the server has heard of lately."""
        found = self.ask("POST", f"/work_pools/{POOL}/workers/filter", {})
        return {one["name"] for one in found if one["status"] == "ONLINE"}

    def deployment(self, name: str) -> dict[str, Any]:
        """Give a deployment by its own name."""
        (found,) = self.ask("POST", "/deployments/filter", {"deployments": {"name": {"any_": [name]}}})
        return dict(found)

    def switch_schedules_off(self) -> None:
        """Let no run start by itself."""
        for one in self.ask("POST", "/deployments/filter", {}):
            for schedule in one["schedules"]:
                self.ask("PATCH", f"/deployments/{one['id']}/schedules/{schedule['id']}", {"active": False})

    def trigger(self, deployment: str, **environment: str) -> str:
        """Have a deployment run in this environment as soon as a worker is free; gives the run's id."""
        path = f"/deployments/{self.deployment(deployment)['id']}/create_flow_run"
        wanted = {
            "state": {"type": "SCHEDULED"},
            "job_variables": {"env": environment} if environment else {},
        }
        return str(self.ask("POST", path, wanted)["id"])

    def state(self, run_id: str) -> str:
        """Give the type of a flow run's state."""
        return str(self.ask("GET", f"/flow_runs/{run_id}")["state_type"])

    def states(self, run_id: str) -> list[tuple[datetime, str, str]]:
        """Give all states that a flow run has been in: when, name, message."""
        found = self.ask("GET", f"/flow_run_states/?flow_run_id={run_id}")
        rows = [(moment(one["timestamp"]), one["name"], one["message"] or "") for one in found]
        return sorted(rows)

    def slots_taken(self, deployment: str) -> int:
        """Give how many of a deployment's concurrency slots are held."""
        return int(self.deployment(deployment)["global_concurrency_limit"]["active_slots"])


def start_prefect(
    command: Sequence[str], environment: Mapping[str, str], log: Path
) -> "subprocess.Popen[bytes]":
    """Start `prefect ...` in a session of its own; it does not outlive us."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "prefect", *command],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            preexec_fn=_end_with_us,
        )


def _end_with_us() -> None:
    """Have the kernel end a process with its parent; what a shell has in the background ignores SIGINT.

    Prefect's worker turns SIGTERM into SIGINT, and would then ignore both.
    """
    ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM, then SIGKILL for what does not listen."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def kill(pid: int) -> None:
    """Send SIGKILL; a process that is gone already is as good."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def wait_until(
    holds: Callable[[], bool], otherwise: str, seconds_max: float = START_SECONDS_MAX, every: float = 0.2
) -> None:
    """Return once it holds, looking every so many seconds. Raises TimeoutError that says `otherwise`."""
    deadline = time.monotonic() + seconds_max
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(every)


def clean_environment() -> dict[str, str]:
    """Give the environment without what is ours, Prefect's or a key."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


def moment(text: str) -> datetime:
    """Read a time of an API."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def free_port() -> int:
    """Give a port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
