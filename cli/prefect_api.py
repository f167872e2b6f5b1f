"""The Prefect API for a command: the one that is set, that of a running `up`, or a temporary server's.

Prefect can start a temporary server by itself, but as a child that Ctrl-C reaches before us and that
outlives a kill; and two first starts at once trip over each other in its new database.
"""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.addresses import find_up
from cli.processes import await_answer, free_port, running
from core.errors import NotReady

START_SECONDS_MAX = 120  # it takes about 15 s on two cores


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
    if found := find_up(home):
        with temporary_settings({PREFECT_API_URL: found.api_url}):
            yield
        return
    with _server(Path(os.environ["PREFECT_HOME"])) as url, temporary_settings({PREFECT_API_URL: url}):
        yield


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    """Run a server on a free port; gives the address of its API."""
    folder.mkdir(parents=True, exist_ok=True)
    port, log = free_port(), folder / "server.log"
    url = f"http://127.0.0.1:{port}/api"
    program = ["-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"]
    options = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "error", "--lifespan", "on"]
    environment = os.environ | {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1"}
    with (folder / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one first start at a time makes the database
        with running("temporary server", [sys.executable, *program, *options], log, environment) as part:
            try:
                await_answer(f"{url}/health", [part], seconds_max=START_SECONDS_MAX)
            except NotReady as error:
                raise NotReady(f"Prefect's temporary server did not start. {error}") from error
            fcntl.flock(lock, fcntl.LOCK_UN)
            yield url
