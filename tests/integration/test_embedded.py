"""The embedded PostgreSQL as its users see it: shared, stopped by the last one out, private."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from core.errors import NotReady
from database import binaries, embedded

REPOSITORY = Path(__file__).parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")

USER_PROGRAM = """
import sys
from pathlib import Path
import psycopg
from database import embedded
with embedded.attached(Path(sys.argv[1]), test_mode=True) as url:
    with psycopg.connect(url) as connection:
        connection.execute("select 1")
    print(embedded.status(Path(sys.argv[1])).pid, flush=True)
    sys.stdin.readline()
"""


@contextmanager
def other_user(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that uses the database until its input is closed."""
    command = [sys.executable, "-c", USER_PROGRAM, str(home)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe, text=True) as process:
        yield process


def server_pid_seen_by(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def leave(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(30) == 0


def postgres_processes(data: Path) -> list[int]:
    """Every process that works in this data folder, whatever it calls itself."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "cwd").startswith(str(data)):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def data_folder(home: Path) -> Path:
    folder = embedded.status(home).data_folder
    assert folder is not None
    return folder


@contextmanager
def open_home() -> Iterator[Path]:
    """A home that the server's user can enter, as tmp_path is not when we are root."""
    home = Path(tempfile.mkdtemp(prefix="touchline-test-"))
    home.chmod(0o755)
    yield home
    embedded.reset(home)
    shutil.rmtree(home)


@pytest.fixture
def new_home() -> Iterator[Path]:
    """A home without a cluster."""
    with open_home() as home:
        yield home


@pytest.fixture(scope="module")
def used_home() -> Iterator[Path]:
    with open_home() as home:
        yield home


@pytest.fixture
def home(used_home: Path) -> Iterator[Path]:
    """A home whose cluster other tests have used; every test must leave its server down."""
    with embedded.attached(used_home, test_mode=True):
        pass
    yield used_home
    left = postgres_processes(data_folder(used_home))
    embedded.down(used_home, force=True)
    assert left == []


def test_what_the_first_start_stored_is_there_on_the_second_start(new_home: Path) -> None:
    with embedded.attached(new_home) as url, psycopg.connect(url) as connection:
        connection.execute("create table kept as select 'Ó' as name")
    assert not embedded.status(new_home).running
    with embedded.attached(new_home) as url, psycopg.connect(url) as connection:
        row = connection.execute("select lower(name), current_setting('TimeZone') from kept").fetchone()
        assert row == ("ó", "UTC")
        assert connection.execute("show fsync").fetchone() == ("on",)
        assert connection.execute("show data_checksums").fetchone() == ("on",)
    assert postgres_processes(data_folder(new_home)) == []


def test_six_first_starts_at_once_share_one_server_and_the_last_one_out_stops_it(new_home: Path) -> None:
    command = [sys.executable, "-c", USER_PROGRAM, str(new_home)]
    pipe = subprocess.PIPE
    users = [subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe, text=True) for _ in range(6)]
    try:
        pids = {server_pid_seen_by(user) for user in users}
        assert len(pids) == 1
        assert embedded.status(new_home).users == tuple(sorted(user.pid for user in users))
        for user in users[:-1]:
            leave(user)
            assert embedded.status(new_home).running
        leave(users[-1])
        assert not embedded.status(new_home).running
        assert postgres_processes(data_folder(new_home)) == []
    finally:
        for user in users:
            user.kill()
            user.wait()


def test_an_error_in_the_block_still_stops_the_server(home: Path) -> None:
    with pytest.raises(ZeroDivisionError), embedded.attached(home, test_mode=True):
        _ = 1 / 0
    assert postgres_processes(data_folder(home)) == []


def test_a_kept_server_survives_its_users_until_it_is_put_down(home: Path) -> None:
    kept = embedded.up(home, test_mode=True)
    assert kept.running
    assert kept.kept
    with embedded.attached(home, test_mode=True) as url:
        assert url == kept.url
    assert embedded.status(home).pid == kept.pid
    down = embedded.down(home)
    assert not down.running
    assert not down.kept
    assert postgres_processes(data_folder(home)) == []


def test_down_leaves_the_server_to_its_last_user(home: Path) -> None:
    embedded.up(home, test_mode=True)
    with other_user(home) as user:
        pid = server_pid_seen_by(user)
        assert embedded.down(home).users == (user.pid,)
        assert embedded.status(home).pid == pid
        leave(user)
    assert not embedded.status(home).running


def test_down_by_force_stops_the_server_under_its_users(home: Path) -> None:
    with other_user(home) as user:
        server_pid_seen_by(user)
        assert not embedded.down(home, force=True).running
        leave(user)


def test_reset_refuses_while_others_use_the_database_and_deletes_it_afterwards(new_home: Path) -> None:
    with embedded.attached(new_home, test_mode=True) as url:
        with psycopg.connect(url) as connection:
            connection.execute("create table gone ()")
        with pytest.raises(NotReady, match=f"in use .*{os.getpid()}"):
            embedded.reset(new_home)
    embedded.reset(new_home)
    assert embedded.status(new_home).data_folder is None
    assert sorted(path.name for path in new_home.iterdir()) == ["postgres.lock", "postgres.users"]
    with embedded.attached(new_home, test_mode=True) as url, psycopg.connect(url) as connection:
        assert connection.execute("select to_regclass('gone')").fetchone() == (None,)


def test_the_password_is_ours_alone_and_nobody_gets_in_without_it(home: Path) -> None:
    with embedded.attached(home, test_mode=True) as url:
        password = data_folder(home).parent / "password"
        assert stat.S_IMODE(password.stat().st_mode) == 0o600
        assert password.stat().st_uid == os.geteuid()
        assert stat.S_IMODE(data_folder(home).stat().st_mode) == 0o700
        guessed = url.replace(password.read_text(), "guess")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(guessed)
        port = url.rpartition(":")[2].partition("/")[0]
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(host=str(data_folder(home)), port=port, user="touchline", dbname="touchline")
        assert password.read_text() not in repr(embedded.status(home))


def test_a_home_deep_below_others_is_no_deeper_than_a_socket_allows(home: Path) -> None:
    deep = home.joinpath(*["a-folder-of-thirty-characters-"] * 5)
    with embedded.attached(deep, test_mode=True) as url, psycopg.connect(url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    embedded.reset(deep)


@as_root
def test_in_a_closed_folder_the_cluster_lies_elsewhere_and_no_folder_is_opened(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    before = {path: path.stat().st_mode for path in (closed, *closed.parents)}
    home = closed / "home"
    with embedded.attached(home, test_mode=True) as url, psycopg.connect(url) as connection:
        connection.execute("create table kept ()")
        place = data_folder(home).parent
        assert home not in place.parents
        assert (home / "postgres.place").read_text() == str(place)
    with embedded.attached(home, test_mode=True) as url, psycopg.connect(url) as connection:
        assert connection.execute("select to_regclass('kept')::text").fetchone() == ("kept",)
    assert {path: path.stat().st_mode for path in before} == before
    embedded.reset(home)
    assert not place.exists()
    assert not (home / "postgres.place").exists()


@as_root
def test_an_environment_closed_to_the_server_is_copied_once_to_a_readable_place(
    new_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site_folder = binaries.program_folder(None).parents[2]
    for name in (binaries.PACKAGE, f"{binaries.PACKAGE}.libs"):
        shutil.copytree(
            site_folder / name, tmp_path / name, ignore=shutil.ignore_patterns("pginstall", "*.a")
        )
    tmp_path.chmod(0o700)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(binaries, "PERMANENT_FOLDERS", (new_home,))
    for _ in range(2):
        with embedded.attached(new_home / "home", test_mode=True) as url, psycopg.connect(url) as connection:
            connection.execute("select 1")
    (copy,) = (new_home / "touchline").glob("postgresql-*")
    postgres = binaries.program_folder(binaries.server_account()) / "postgres"
    assert copy in postgres.parents
    assert all(path.stat().st_uid == 0 and not path.stat().st_mode & 0o022 for path in copy.rglob("*"))
    embedded.reset(new_home / "home")


@as_root
def test_a_cluster_of_another_user_is_named_as_such(new_home: Path) -> None:
    with embedded.attached(new_home, test_mode=True):
        pass
    os.chown(new_home / "postgres", 12345, 12345)
    with pytest.raises(NotReady, match="belongs to user 12345"), embedded.attached(new_home, test_mode=True):
        pass


def test_without_the_wheel_the_next_step_is_named(new_home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-c", USER_PROGRAM.replace("import psycopg\n", ""), str(new_home)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "NotReady: the embedded PostgreSQL is not installed: run `make setup`" in done.stderr
    assert embedded.status(new_home).data_folder is None


def test_the_backup_command_of_the_hint_works(home: Path) -> None:
    embedded.up(home, test_mode=True)
    hint = embedded.backup_hint()
    url = embedded.status(home).url
    assert url is not None
    command = hint[hint.index("/") : hint.index(" Restore")].rstrip(".")
    done = subprocess.run(
        command.replace("$(touchline db url)", url), shell=True, cwd=home, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert (home / "touchline.dump").read_bytes().startswith(b"PGDMP")
    embedded.down(home)
