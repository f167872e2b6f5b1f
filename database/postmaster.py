"""The server process on a cluster: found, started and stopped. Callers hold the start lock of `embedded.py`.

The time is read here only to bound the wait for real processes, which follow no clock of ours.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from core.errors import NotReady
from database import binaries
from database.cluster import Cluster

START_SECONDS_MAX = 120  # recovery after a crash is part of a start
STOP_SECONDS_MAX = 60  # a fast shutdown writes everything that is in memory
START_PAUSES_SECONDS = (
    0.1,
    0.3,
    1.0,
    3.0,
    0.0,
)  # one attempt each: a taken port, children of a killed server
POLL_SECONDS = 0.005

SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=.",  # relative to the data folder: never too long for a socket's 107 bytes
    "max_connections=100",
    "shared_buffers=128MB",
    "TimeZone=UTC",
    "log_timezone=UTC",
    "log_destination=stderr",
)

# Held so that a server of ours is reaped once it has ended; it may well outlive us.
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Server:
    """A running server process."""

    pid: int
    port: int
    ready: bool  # False while it starts, recovers or stops


def running(cluster: Cluster) -> Server | None:
    """The live server on this cluster; a `postmaster.pid` that names any other process counts for nothing."""
    try:
        lines = (cluster.data / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    if not _is_postgres_on(pid, cluster.data):
        return None
    complete = len(lines) >= 8  # PostgreSQL writes the port only after it has bound it, the state at the end
    return Server(pid, int(lines[3]) if complete else 0, complete and lines[7].strip() == "ready")


def _is_postgres_on(pid: int, data: Path) -> bool:
    """Whether the process is a postmaster on this folder, even one that was moved; a zombie is not."""
    try:
        argv = [os.fsdecode(part) for part in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]
    except OSError:
        return False
    if Path(argv[0]).name != "postgres":
        return False
    # The working directory of another user's process is hidden from a root without CAP_SYS_PTRACE,
    # as in a container; the command line is not.
    folders = (argv[argv.index("-D") + 1] if "-D" in argv else "", f"/proc/{pid}/cwd")
    return any(_same_file(folder, data) for folder in folders)


def _is_alive(pid: int) -> bool:
    """Whether the process still runs; one that ended and was not reaped by its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _same_file(left: str, right: Path) -> bool:
    try:
        return os.path.samefile(left, right)
    except OSError:
        return False


def ensure(cluster: Cluster, *, test_mode: bool) -> Server:
    """The running server of this cluster, started when it is down; NotReady with its words if it fails."""
    if cluster.stopping.exists():
        stop(cluster)  # whoever was stopping it was killed, and it may end under us at any moment
    for pause_seconds in START_PAUSES_SECONDS:
        server = running(cluster)
        if server is None:
            server = _start(cluster, test_mode=test_mode)
        elif not server.ready:
            server = _await_ready(cluster, None)
        if server is not None:
            return server
        time.sleep(pause_seconds)
    words = cluster.log.read_text(errors="replace").strip()[-1500:]
    raise NotReady(f"the embedded PostgreSQL does not start; look at what it says in {cluster.log}:\n{words}")


def _start(cluster: Cluster, *, test_mode: bool) -> Server | None:
    """One attempt; whatever goes wrong, no process is left. None when the server gave up by itself."""
    _remove_stale(cluster.data)
    account = binaries.server_account(cluster.data.stat().st_uid)
    command: list[str | Path] = [binaries.program_folder(account) / "postgres", "-D", cluster.data]
    command += ["-p", str(_free_port())]
    quick = ("fsync=off", "synchronous_commit=off") if test_mode else ()
    for setting in (*SETTINGS, *quick):
        command += ["-c", setting]
    with contextlib.suppress(FileNotFoundError):
        cluster.log.replace(cluster.log.with_name(f"{cluster.log.name}.old"))
    with open(os.open(cluster.log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "wb") as log:
        process = binaries.launch(command, account, output=log)
    try:
        server = _await_ready(cluster, process)
    except BaseException:
        _give_up(process)
        raise
    if server is not None:
        _children.append(process)
    return server


def _await_ready(cluster: Cluster, process: subprocess.Popen[bytes] | None) -> Server | None:
    """Wait for a starting server, ours or one whose starter was killed; None when it ends instead."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            return None
        server = running(cluster)
        if server is None and process is None:
            return None
        if server is not None and server.ready and (process is None or server.pid == process.pid):
            return server
        time.sleep(POLL_SECONDS)
    raise NotReady(
        f"the embedded PostgreSQL is not ready after {START_SECONDS_MAX} s: look into {cluster.log}"
    )


def _give_up(process: subprocess.Popen[bytes]) -> None:
    """End a server that failed to start: at once, and its children with it."""
    process.send_signal(signal.SIGQUIT)
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _remove_stale(data: Path) -> None:
    """Remove what a dead server left, and end a live one that nobody can find because its pid file is gone.

    PostgreSQL believes a left pid file when any process of its user has that pid by now.
    """
    for path in (data / "postmaster.pid", *data.glob(".s.PGSQL.*")):
        path.unlink(missing_ok=True)
    for pid in [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]:
        if _is_postgres_on(pid, data):
            _end(pid, signal.SIGQUIT, data)


def _free_port() -> int:
    """A port that is free at this moment; it may be taken before the server binds it, then we try again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def stop(cluster: Cluster, *, discard: bool = False) -> None:
    """Fast shutdown, or an immediate one when the data is to be discarded; NotReady when it will not end."""
    server = running(cluster)
    if server is not None:
        cluster.stopping.touch()
        _end(server.pid, signal.SIGQUIT if discard else signal.SIGINT, cluster.data)
    cluster.stopping.unlink(missing_ok=True)
    _children[:] = [child for child in _children if child.poll() is None]


def _end(pid: int, number: signal.Signals, data: Path) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    deadline = time.monotonic() + STOP_SECONDS_MAX
    while _is_alive(pid):
        if time.monotonic() > deadline:
            raise NotReady(
                f"the embedded PostgreSQL on {data} does not stop: end it with `kill -QUIT {pid}`, "
                "look into the server.log beside that folder, and try again"
            )
        time.sleep(POLL_SECONDS)
