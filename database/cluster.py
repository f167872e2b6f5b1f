"""One PostgreSQL cluster on disk: where it lies, whose it is, how it is made and deleted.

    HOME/postgres/              the place (0700; 0711 when the server runs as another user than we do)
        data/                   PostgreSQL's data folder, owned by the server's user, 0700
        password                of the superuser `touchline`, ours alone (0600)
        server.log              of the last start; server.log.old of the one before
        stopping                there while the server is being stopped
    HOME/postgres.place         names the place where HOME itself is closed to the server's user
    *.partial                   not finished, or to be deleted: removed by the next start

Clients come over TCP at 127.0.0.1, or over the unix socket in the data folder; both ask for the password
(SCRAM), because everybody on the machine can reach the port. Callers hold the start lock of `embedded.py`.
"""

import os
import pwd
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from core.errors import NotReady
from database import binaries

DATABASE = "touchline"
SUPERUSER = "touchline"
POINTER = "postgres.place"

CLIENT_AUTHENTICATION = """\
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""


@dataclass(frozen=True)
class Cluster:
    """The files of one cluster."""

    place: Path

    @property
    def data(self) -> Path:
        return self.place / "data"

    @property
    def password(self) -> Path:
        return self.place / "password"

    @property
    def log(self) -> Path:
        return self.place / "server.log"

    @property
    def stopping(self) -> Path:
        return self.place / "stopping"

    def url(self, port: int) -> str:
        """The address for clients; NotReady when the password is lost."""
        try:
            password = self.password.read_text().strip()
        except FileNotFoundError as error:
            raise NotReady(
                f"{self.password} is missing: put it back, or delete everything with `touchline db reset`"
            ) from error
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/{DATABASE}"


def locate(home: Path) -> Cluster | None:
    """The cluster that belongs to this home, or None when it has none yet."""
    if (home / POINTER).exists():
        return Cluster(Path((home / POINTER).read_text().strip()))
    return Cluster(home / "postgres") if (home / "postgres").exists() else None


def check(cluster: Cluster) -> None:
    """NotReady when the cluster is gone, belongs to somebody else, or was made by another PostgreSQL."""
    reset = "or delete it with `touchline db reset`"
    if not cluster.data.is_dir():
        raise NotReady(f"the database's folder {cluster.data} is gone: put it back, {reset}")
    check_owner(cluster)
    made_by = major_version(cluster)
    if made_by != binaries.MAJOR_VERSION:
        raise NotReady(
            f"the database in {cluster.place} was made by PostgreSQL {made_by}, this is "
            f"{binaries.MAJOR_VERSION}: dump it with the version that made it, {reset}"
        )


def check_owner(cluster: Cluster) -> None:
    """NotReady when the cluster belongs to somebody else."""
    owner_uid = cluster.place.stat().st_uid
    if owner_uid != os.geteuid():
        raise NotReady(
            f"the database in {cluster.place} belongs to user {user_name(owner_uid)}: "
            "run this as that user, or set TOUCHLINE_HOME to a folder of your own"
        )


def user_name(uid: int) -> str:
    """The name of a user, or its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def major_version(cluster: Cluster) -> str | None:
    """The major version of PostgreSQL that the cluster was made by."""
    try:
        return (cluster.data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        return None


def create(home: Path, *, lock: int, test_mode: bool) -> Cluster:
    """Make the cluster; killed at any moment, nothing of it counts and the next start makes it anew.

    `lock` is the descriptor of the start lock: the programs inherit it, so that the lock stays taken
    until they have ended even when we are killed, and the next starter never works beside them.
    """
    remove_unfinished(home)
    account = binaries.server_account()
    place = home / "postgres"
    if not binaries.reaches(account, home):
        place = _place_elsewhere(home, account, test_mode=test_mode)
        _partial(home / POINTER).write_text(str(place))
    try:
        _fill(Cluster(_partial(place)), account, lock=lock, test_mode=test_mode)
        _partial(place).rename(place)
        if place.parent != home:
            _partial(home / POINTER).rename(home / POINTER)
    except BaseException:
        remove_unfinished(home)
        raise
    return Cluster(place)


def _place_elsewhere(home: Path, account: binaries.Account | None, *, test_mode: bool) -> Path:
    """A name for the place in a folder that the account can enter, as lasting or as temporary as the home."""
    temporary = (Path(tempfile.gettempdir()).resolve(), Path("/tmp"))
    is_temporary = test_mode or any(home.is_relative_to(folder) for folder in temporary)
    folder = binaries.readable_folder(account, temporary if is_temporary else binaries.PERMANENT_FOLDERS)
    return folder / f"cluster-{secrets.token_hex(8)}"


def _fill(cluster: Cluster, account: binaries.Account | None, *, lock: int, test_mode: bool) -> None:
    password = secrets.token_urlsafe(32)
    cluster.place.mkdir()
    cluster.place.chmod(0o711 if account else 0o700)
    with open(os.open(cluster.password, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(password)
        os.fsync(file.fileno())
    cluster.data.mkdir(mode=0o700)
    if account:
        os.chown(cluster.data, account.uid, account.gid)
    programs = binaries.program_folder(account)
    initdb, postgres = programs / "initdb", programs / "postgres"
    # Sorted by bytes, but upper and lower case of every alphabet, on every machine alike.
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    options = ("--no-sync", "--no-instructions", "--auth=trust", f"--username={SUPERUSER}")
    binaries.run([initdb, "-D", cluster.data, *locale, *options], account, pass_fds=(lock,))
    (cluster.data / "pg_hba.conf").write_text(CLIENT_AUTHENTICATION)
    single: list[str | Path] = [
        postgres,
        "--single",
        "-F",
        "-c",
        "exit_on_error=on",
        "-D",
        cluster.data,
        "postgres",
    ]
    typed = f"ALTER ROLE {SUPERUSER} PASSWORD '{password}'\nCREATE DATABASE {DATABASE}\n"
    binaries.run(single, account, typed=typed, pass_fds=(lock,))
    if not test_mode:
        binaries.run([initdb, "--sync-only", "-D", cluster.data], account, pass_fds=(lock,))


def delete(home: Path) -> None:
    """Delete the cluster of a stopped server; killed at any moment, the next start deletes the rest."""
    for name in (POINTER, "postgres"):
        if (home / name).exists():
            remove_unfinished(home)
            (home / name).rename(_partial(home / name))
    remove_unfinished(home)


def remove_unfinished(home: Path) -> None:
    """Remove what an interrupted creation or deletion left."""
    pointer = _partial(home / POINTER)
    if pointer.exists():
        place = Path(pointer.read_text().strip())
        if place.name.startswith("cluster-"):  # else we were killed before the name was written
            _remove_tree(place)
            _remove_tree(_partial(place))
        pointer.unlink()
    _remove_tree(_partial(home / "postgres"))


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


def _remove_tree(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)  # once more below: a program we just killed may have been writing
    if path.exists():
        shutil.rmtree(path)
