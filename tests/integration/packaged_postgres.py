"""A PostgreSQL server from Debian's package, for as long as a test session lasts."""

import os
import pwd
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.server_folder import server_folder

START_SECONDS_MAX = 30


def newest_packaged() -> Path | None:
    """Return the folder of the newest packaged server's programs, 15 or newer; None when there is none."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    new_enough = [path for path in found if path.parent.name.isdigit() and int(path.parent.name) >= 15]
    return max(new_enough, key=lambda path: int(path.parent.name), default=None)


@contextmanager
def running_packaged(binaries: Path) -> Iterator[str]:
    """Run a server in a private folder on a free port; as root, as the package's own user."""
    user = "postgres" if os.geteuid() == 0 else None
    with server_folder("packaged") as folder:
        if user:
            account = pwd.getpwnam(user)
            os.chown(folder, account.pw_uid, account.pw_gid)
        data = folder / "data"
        options = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]
        subprocess.run(
            [binaries / "initdb", "-D", data, *options],
            check=True,
            user=user,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            extra_groups=[] if user else None,
        )
        port = _free_port()
        process = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-F", "-h", "127.0.0.1", "-p", str(port), "-k", folder],
            user=user,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            extra_groups=[] if user else None,
        )
        try:
            _await_ready(binaries, port, process)
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            process.terminate()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_ready(binaries: Path, port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        ready = subprocess.run(
            [binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False
        )
        if ready.returncode == 0:
            return
        time.sleep(0.05)
    raise RuntimeError("the packaged PostgreSQL did not start")
