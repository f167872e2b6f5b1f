"""The parts of the compose file as processes: their commands and environments as the file has them.

What a container would give is put in its place: this machine for host names, free ports, a folder as volume.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from tests.integration.compose_file import FOLDER, read_compose
from tests.integration.packaged_postgres import running_packaged

ROOT = FOLDER.parent
READY_SECONDS_MAX = 300
SETUP_SECONDS_MAX = 400
IN_AN_IMAGE = ("PATH", "LANG", "TZ")  # of our environment, what a container has as well


@dataclass
class Parts:
    """What runs: where it is, and each part's environment and log."""

    folder: Path
    ports: dict[str, int]
    services: dict[str, Any]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def api(self) -> str:
        """The address of Prefect's API."""
        return f"http://127.0.0.1:{self.ports['4200']}/api"

    def log(self, name: str) -> str:
        """What a part has written."""
        return (self.folder / f"{name}.log").read_text("utf-8")

    def run(
        self, *words: str, service: str, seconds: float = SETUP_SECONDS_MAX
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with a service's environment, as `compose exec` would."""
        return subprocess.run(
            words,
            env=self._environment(service, service),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def start(self, service: str, name: str, extra_ports: Mapping[str, int] | None = None) -> None:
        """Start a service, its output in a log of its own."""
        ports = self.ports | dict(extra_ports or {})
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                self.command(service, ports),
                env=self._environment(service, name, ports),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def await_healthy(self, service: str, name: str, extra_ports: Mapping[str, int] | None = None) -> None:
        """Make the service's own healthcheck until it holds."""
        ports = self.ports | dict(extra_ports or {})
        test = [self._placed(word, ports) for word in self.services[service]["healthcheck"]["test"][1:]]
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline and self.processes[name].poll() is None:
            if (
                subprocess.run(
                    test, env=self._environment(service, name, ports), check=False, capture_output=True
                ).returncode
                == 0
            ):
                return
            time.sleep(0.5)
        raise AssertionError(f"{name} is not healthy:\n{self.log(name)[-3000:]}")

    def stop(self) -> dict[str, int]:
        """End everything, last started first, with the time that the file grants; gives the exit codes."""
        codes = {}
        for name, process in reversed(self.processes.items()):
            process.send_signal(signal.SIGTERM)
            seconds = float(self.services[name.partition("-")[0]]["stop_grace_period"].removesuffix("s"))
            try:
                codes[name] = process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                codes[name] = process.wait()
        return codes

    def command(self, service: str, ports: Mapping[str, int] | None = None) -> list[str]:
        """What a service runs."""
        facts, ports = self.services[service], ports or self.ports
        return [self._placed(word, ports) for word in (*facts["entrypoint"], *facts["command"])]

    def _environment(self, service: str, name: str, ports: Mapping[str, int] | None = None) -> dict[str, str]:
        home = self.folder / f"home of {name}"
        home.mkdir(exist_ok=True)
        given = self.services[service]["environment"]
        placed = {key: self._placed(value, ports or self.ports) for key, value in given.items()}
        image = {key: os.environ[key] for key in IN_AN_IMAGE if key in os.environ}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return image | {"HOME": str(home), "PATH": path, "PYTHONUNBUFFERED": "1"} | placed

    def _placed(self, text: str, ports: Mapping[str, int]) -> str:
        """Put this machine in the place of the containers."""
        for port, ours in ports.items():
            text = str(ours) if text == port else text.replace(f":{port}", f":{ours}")
        for host in ("postgres", "server"):
            text = text.replace(f"@{host}:", "@127.0.0.1:").replace(f"//{host}:", "//127.0.0.1:")
        return {"0.0.0.0": "127.0.0.1", "/data": str(self.folder / "data")}.get(text, text)


@contextmanager
def running_parts(folder: Path, values: Mapping[str, str], binaries: Path) -> Iterator[Parts]:
    """Run everything until the block ends, set up and healthy, whatever happens in it."""
    services = read_compose(values)["services"]
    with ExitStack() as stack:
        server = make_url(stack.enter_context(running_packaged(binaries)))
        parts = Parts(folder, {"5432": int(server.port or 0), "4200": _free_port()}, services)
        stack.callback(parts.stop)
        _initialise(services["postgres"], server.port, binaries)
        parts.start("server", "server")
        parts.await_healthy("server", "server")
        _set_up(parts)
        for number in range(int(services["worker"]["deploy"]["replicas"])):
            web = {services["worker"]["environment"]["PREFECT_WORKER_WEBSERVER_PORT"]: _free_port()}
            parts.start("worker", f"worker-{number}", web)
            parts.await_healthy("worker", f"worker-{number}", web)
        yield parts


def _initialise(service: Mapping[str, Any], port: int | None, binaries: Path) -> None:
    """Run the scripts that the PostgreSQL image runs on an empty volume."""
    scripts: Sequence[str] = [
        source
        for source, target in (volume.split(":")[:2] for volume in service["volumes"])
        if target.startswith("/docker-entrypoint-initdb.d/")
    ]
    assert scripts
    given = service["environment"] | {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(port),
        "PATH": f"{binaries}:/usr/bin:/bin",
    }
    for script in scripts:
        subprocess.run(["/bin/sh", FOLDER / script], env=given, check=True, capture_output=True, text=True)
    with psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/prefect") as connection:
        found = connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'").fetchone()
        assert found is not None


def _set_up(parts: Parts) -> None:
    """Run the service `setup` to its end."""
    done = parts.run(*parts.command("setup"), service="setup")
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
