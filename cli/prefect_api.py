"""The Prefect API for a command: the one that is set, or a temporary server of the command's own.

Prefect can start a temporary server by itself, but as a child that Ctrl-C reaches before us and that
outlives a kill; and two first starts at once trip over each other in its new database.
"""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import NotReady

START_SECONDS_MAX = 120  # it takes about 15 s on two cores
STOP_SECONDS_MAX = 10
SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def prepare_prefect(home: Path) -> None:
    """Keep Prefect's files in our home and its talk short, unless the environment says otherwise.

    Must be called before Prefect is imported, which makes its own folder, but not ours around it. Raises
    NotReady when ours cannot be made.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotReady(f"{home} cannot be made ({error.strerror}); set TOUCHLINE_HOME to another.") from None
    for name, value in {
        "PREFECT_HOME": str((home / "prefect").absolute()),
        "PREFECT_LOGGING_LEVEL": "CRITICAL",  # an error is raised to us as well, and shown once
        "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }.items():
        os.environ.setdefault(name, value)


@contextmanager
def prefect_api(home: Path) -> Iterator[None]:
    """Have a Prefect API for as long as the block lasts. Raises NotReady when a server does not start."""
    prepare_prefect(home)
    from prefect.settings import PREFECT_API_URL, temporary_settings

    if PREFECT_API_URL.value():
        yield
        return
    with _server(Path(os.environ["PREFECT_HOME"])) as url, temporary_settings({PREFECT_API_URL: url}):
        yield


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """Run a server on a free port, in a session of its own; gives the address of its API."""
    import prefect

    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    url = f"http://127.0.0.1:{port}/api"
    program = ["-m", "uvicorn", "--app-dir", str(prefect.__module_path__.parent), "--factory"]
    options = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "error", "--lifespan", "on"]
    with (folder / "server.log").open("ab") as log, (folder / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one first start at a time makes the database
        process = subprocess.Popen(
            [sys.executable, *program, "prefect.server.api.server:create_app", *options],
            env=os.environ | {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"},
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        try:
            _await_healthy(process, url, folder / "server.log")
            fcntl.flock(lock, fcntl.LOCK_UN)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_healthy(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise NotReady(f"The temporary Prefect server did not start; {log} says why. Or set PREFECT_API_URL.")
