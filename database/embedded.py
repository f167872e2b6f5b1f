"""The embedded PostgreSQL: one server per home folder, shared by all, stopped by the last one out.

Two files in the home folder carry all coordination, so that a kill -9 at any moment leaves nothing stuck:

    postgres.lock    locked by whoever starts, stops or deletes the server, only for that long
    postgres.users   locked (shared) by every user as long as it uses the server; a killed user's lock is
                     gone with it. Whoever leaves takes the start lock and then tries to lock this file for
                     itself alone: it succeeds only for the last one, and nobody can enter meanwhile.
    postgres.keep    there between `up` and `down`: the last one out leaves the server running

A server whose last user was killed keeps running; the next one to come uses it, and stops it when it leaves.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import NotReady
from database import binaries, postmaster
from database import cluster as clusters

LOCK_SECONDS_MAX = 200  # longer than the slowest start or stop
LOCK_POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Status:
    """What can be said of the embedded server without touching it."""

    running: bool
    url: str | None = field(repr=False)  # holds the password
    version: str | None  # the major version that made the data
    data_folder: Path | None
    pid: int | None
    kept: bool  # stays up until `down`
    users: tuple[int, ...]  # pids of those who use it now


@contextlib.contextmanager
def attached(home: Path, *, test_mode: bool = False, keep: bool = False) -> Iterator[str]:
    """Use the embedded server of this home: yields its URL, starts it when it is down.

    On the way out it is stopped unless others use it, or `keep` (now or earlier) asked for it to stay.
    `test_mode` gives up durability for speed. Raises NotReady with the next step when there is no server
    to be had.
    """
    home = prepared(home)
    users = _open(home / "postgres.users")
    try:
        with _start_lock(home) as lock:
            fcntl.flock(users, fcntl.LOCK_SH)  # free: nobody excludes users without the start lock
            url = _serve(home, lock=lock, test_mode=test_mode)
            if keep:
                (home / "postgres.keep").touch()
        yield url
    finally:
        try:
            _leave(home, users)
        finally:
            _close(users)


def up(home: Path, *, test_mode: bool = False) -> Status:
    """Start the server, if it is down, and let it run until `down`."""
    with attached(home, test_mode=test_mode, keep=True):
        pass
    return status(home)


def down(home: Path, *, force: bool = False) -> Status:
    """Stop the server; while others use it, the last of them will, unless `force` stops it anyway."""
    home = home.resolve()
    if home.is_dir():
        with _start_lock(home), _opened(home / "postgres.users") as users:
            (home / "postgres.keep").unlink(missing_ok=True)
            cluster = clusters.locate(home)
            if cluster and (force or _is_alone(users)):
                postmaster.stop(cluster)
    return status(home)


def reset(home: Path) -> None:
    """Stop the server and delete all its data; NotReady when others use it."""
    home = home.resolve()
    if not home.is_dir():
        return
    with _start_lock(home), _opened(home / "postgres.users") as users:
        if not _is_alone(users):
            pids = ", ".join(map(str, _user_pids(home))) or "unknown"
            raise NotReady(f"the database is in use (by process {pids}): wait for its end, then reset")
        (home / "postgres.keep").unlink(missing_ok=True)
        cluster = clusters.locate(home)
        if cluster:
            postmaster.stop(cluster, discard=True)
            clusters.delete(home)


def status(home: Path) -> Status:
    """How the server is now; takes no lock and starts nothing."""
    home = home.resolve()
    with _explained(home):
        cluster = clusters.locate(home)
        if cluster and cluster.place.exists() and os.geteuid() != 0:
            clusters.check_owner(cluster)
        server = postmaster.running(cluster) if cluster else None
        return Status(
            running=server is not None and server.ready,
            url=cluster.url(server.port) if cluster and server and server.ready else None,
            version=clusters.major_version(cluster) if cluster else None,
            data_folder=cluster.data if cluster else None,
            pid=server.pid if server else None,
            kept=(home / "postgres.keep").exists(),
            users=_user_pids(home),
        )


def backup_hint() -> str:
    """What the embedded server is for, and how to back it up; NotReady when it is not installed."""
    programs = binaries.program_folder(None)
    return (
        "The embedded PostgreSQL is for one machine; for more, set DATABASE_URL. Back it up while it runs "
        f"(`touchline db up`): {programs / 'pg_dump'} --format=custom --file=touchline.dump "
        f'"$(touchline db url)". '
        f'Restore into a new one: {programs / "pg_restore"} --dbname="$(touchline db url)" touchline.dump'
    )


def _serve(home: Path, *, lock: int, test_mode: bool) -> str:
    with _explained(home):
        cluster = clusters.locate(home) or clusters.create(home, lock=lock, test_mode=test_mode)
        clusters.check(cluster)
        return cluster.url(postmaster.ensure(cluster, test_mode=test_mode).port)


def _leave(home: Path, users: int) -> None:
    """Stop the server if we are the last one out and nobody asked to keep it."""
    if not home.is_dir():
        return  # deleted under us; PostgreSQL ends by itself when its data folder is gone
    with _start_lock(home):
        cluster = clusters.locate(home)
        if cluster and not (home / "postgres.keep").exists() and _is_alone(users):
            postmaster.stop(cluster)


def _is_alone(users: int) -> bool:
    """Whether nobody else uses the server. Our own lock may be lost by asking: only for those who leave."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def prepared(home: Path) -> Path:
    """Make the home folder if need be; gives its full path. Raises NotReady when it cannot be used."""
    if not Path("/proc/self/cmdline").exists():
        raise NotReady(f"the embedded PostgreSQL needs Linux with /proc: {binaries.OWN_SERVER}")
    home = home.resolve()
    with _explained(home):
        home.mkdir(parents=True, exist_ok=True)
    return home


@contextlib.contextmanager
def _start_lock(home: Path) -> Iterator[int]:
    """Hold the lock for starting, stopping and deleting; yields its descriptor."""
    with _opened(home / "postgres.lock") as lock:
        deadline = time.monotonic() + LOCK_SECONDS_MAX
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise NotReady(
                        f"another command has been starting or stopping the database in {home} for "
                        f"{LOCK_SECONDS_MAX} s: end it, then try again"
                    ) from error
                time.sleep(LOCK_POLL_SECONDS)
        yield lock


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = _open(path)
    try:
        yield descriptor
    finally:
        _close(descriptor)


def _close(descriptor: int) -> None:
    """Unlock, then close: a child that was forked meanwhile shares the lock, and must not prolong it."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _open(path: Path) -> int:
    with _explained(path.parent):
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


@contextlib.contextmanager
def _explained(home: Path) -> Iterator[None]:
    """Say what to do when the home folder is somebody else's."""
    try:
        yield
    except PermissionError as error:
        closed = Path(error.filename or home)
        while not closed.exists() or not os.access(closed.parent, os.X_OK):
            closed = closed.parent
        raise NotReady(
            f"{closed} is closed to user {clusters.user_name(os.geteuid())} and belongs to user "
            f"{clusters.user_name(closed.stat().st_uid)}: run this as that user, or set TOUCHLINE_HOME "
            "to a folder of your own"
        ) from error
    except OSError as error:
        raise NotReady(
            f"{home} cannot be used ({error.strerror}): set TOUCHLINE_HOME to a folder of your own"
        ) from error


def _user_pids(home: Path) -> tuple[int, ...]:
    """Who holds the users file shared, as the system tells it: to be shown, not to be relied on."""
    try:
        inode = str((home / "postgres.users").stat().st_ino)
        rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    except OSError:
        return ()
    # 1: FLOCK ADVISORY READ 4242 fe:00:131090 0 EOF
    return tuple(sorted(int(row[4]) for row in rows if row[3] == "READ" and row[5].split(":")[-1] == inode))
