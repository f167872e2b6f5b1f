"""The embedded PostgreSQL after kill -9 at any moment, of the server or of those who start and stop it."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from core.errors import NotReady
from database import cluster, embedded, postmaster

REPOSITORY = Path(__file__).parents[2]
SEED = int(os.environ.get("TOUCHLINE_TEST_SEED", "0")) or random.randrange(1, 10**6)

COME_AND_GO = """
import random, sys, time
from pathlib import Path
import psycopg
from database import embedded
dice = random.Random(int(sys.argv[2]))
for _ in range(int(sys.argv[3])):
    with embedded.attached(Path(sys.argv[1]), test_mode=True) as url:
        with psycopg.connect(url) as connection:
            connection.execute("insert into visits select")
            connection.commit()
            time.sleep(dice.uniform(0, 0.05))
            connection.execute("select 1")
    time.sleep(dice.uniform(0, 0.05))
"""


def visitor(home: Path, seed: int, visits: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", COME_AND_GO, str(home), str(seed), str(visits)]
    return subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)


def processes_below(folder: Path) -> list[int]:
    """Every process whose command line or working directory names this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            named = str(folder).encode() in (entry / "cmdline").read_bytes()
            if entry.name.isdigit() and (named or os.readlink(entry / "cwd").startswith(str(folder))):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def server_pid(home: Path) -> int:
    pid = embedded.status(home).pid
    assert pid is not None
    return pid


@contextmanager
def open_home() -> Iterator[Path]:
    """A home that the server's user can enter, as tmp_path is not when we are root."""
    home = Path(tempfile.mkdtemp(prefix="touchline-test-"))
    home.chmod(0o755)
    yield home
    embedded.reset(home)
    assert processes_below(home) == []
    shutil.rmtree(home)


@pytest.fixture
def new_home() -> Iterator[Path]:
    """A home without a cluster."""
    with open_home() as home:
        yield home


@pytest.fixture(scope="module")
def used_home() -> Iterator[Path]:
    with open_home() as home:
        with embedded.attached(home, test_mode=True) as url, psycopg.connect(url) as connection:
            connection.execute("create table visits ()")
        yield home


@pytest.fixture
def home(used_home: Path) -> Path:
    """A home whose cluster, with an empty table `visits` or a full one, the other tests use too."""
    embedded.down(used_home)
    return used_home


def test_after_kill_9_of_the_server_the_next_start_has_all_committed_data(home: Path) -> None:
    embedded.up(home)
    url = embedded.status(home).url
    assert url is not None
    with psycopg.connect(url) as connection:
        connection.execute("create table kept as select generate_series(1, 1000) as n")
        connection.commit()
        os.kill(server_pid(home), signal.SIGKILL)
        while embedded.status(home).running:
            time.sleep(0.001)
    with embedded.attached(home) as url, psycopg.connect(url) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (1000,)
    embedded.down(home)


def test_after_kill_9_of_its_only_user_the_next_one_takes_the_server_over_and_stops_it(home: Path) -> None:
    user = visitor(home, SEED, 1000)
    while not embedded.status(home).running:
        time.sleep(0.005)
    user.kill()
    user.communicate()
    left = embedded.status(home)
    assert left.users == ()
    with embedded.attached(home, test_mode=True):
        assert left.pid is None or server_pid(home) == left.pid
    assert not embedded.status(home).running


@pytest.mark.parametrize("attempt", range(6))
def test_after_kill_9_in_the_middle_of_the_first_start_the_next_one_succeeds(
    new_home: Path, attempt: int
) -> None:
    delay_seconds = random.Random(SEED + attempt).uniform(0.05, 0.9)
    print(f"TOUCHLINE_TEST_SEED={SEED} killed after {delay_seconds:.3f} s")
    starter = visitor(new_home, SEED, 1)
    time.sleep(delay_seconds)
    starter.kill()
    starter.communicate()
    with embedded.attached(new_home, test_mode=True) as url, psycopg.connect(url) as connection:
        connection.execute("create table visits ()")
    assert processes_below(new_home) == []
    assert not list(new_home.glob("*.partial"))


def test_many_who_come_go_and_are_killed_never_lose_the_server_while_they_use_it(home: Path) -> None:
    print(f"TOUCHLINE_TEST_SEED={SEED}")
    dice = random.Random(SEED)
    steady = [visitor(home, SEED + n, 25) for n in range(3)]
    killed = 0
    while any(user.poll() is None for user in steady):
        victim = visitor(home, dice.randrange(10**6), 1000)
        time.sleep(dice.uniform(0.1, 0.6))
        victim.kill()
        victim.communicate()
        killed += 1
    for user in steady:
        _, errors = user.communicate()
        assert (user.returncode, errors) == (0, "")
    with embedded.attached(home, test_mode=True) as url, psycopg.connect(url) as connection:
        (visits,) = connection.execute("select count(*) from visits").fetchone() or (0,)
        assert visits >= 75
    assert killed > 0
    assert processes_below(home) == []


def test_a_pid_file_that_names_a_living_stranger_is_not_believed(home: Path) -> None:
    with embedded.attached(home, test_mode=True):
        found = cluster.locate(home)
        assert found is not None
        pid_file = found.data / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        assert not embedded.status(home).running
        embedded.down(home)
        with embedded.attached(home, test_mode=True) as url, psycopg.connect(url) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        assert stranger.poll() is None
        stranger.kill()


def test_a_broken_pid_file_is_replaced(home: Path) -> None:
    with embedded.attached(home, test_mode=True):
        found = cluster.locate(home)
        assert found is not None
    for content in ("", "garbage\n", "1\n"):
        (found.data / "postmaster.pid").write_text(content)
        with embedded.attached(home, test_mode=True) as url, psycopg.connect(url) as connection:
            assert connection.execute("select 1").fetchone() == (1,)


def test_a_server_whose_pid_file_is_gone_is_ended_and_replaced(home: Path) -> None:
    embedded.up(home, test_mode=True)
    lost_pid = server_pid(home)
    found = cluster.locate(home)
    assert found is not None
    (found.data / "postmaster.pid").unlink()
    with embedded.attached(home, test_mode=True):
        assert server_pid(home) != lost_pid
        assert lost_pid not in processes_below(home)


def test_a_stop_that_was_killed_is_finished_before_anybody_uses_the_server(home: Path) -> None:
    embedded.up(home, test_mode=True)
    dying_pid = server_pid(home)
    found = cluster.locate(home)
    assert found is not None
    found.stopping.touch()
    with embedded.attached(home, test_mode=True):
        assert server_pid(home) != dying_pid
        assert not found.stopping.exists()


def test_a_reset_that_was_killed_is_finished_by_the_next_start(new_home: Path) -> None:
    with embedded.attached(new_home, test_mode=True):
        pass
    (new_home / "postgres").rename(new_home / "postgres.partial")
    shutil.rmtree(new_home / "postgres.partial" / "data" / "base")
    with embedded.attached(new_home, test_mode=True) as url, psycopg.connect(url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert not (new_home / "postgres.partial").exists()


def test_a_server_that_cannot_start_is_an_error_with_its_own_words(
    new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with embedded.attached(new_home, test_mode=True):
        found = cluster.locate(new_home)
        assert found is not None
    (found.data / "postgresql.conf").write_text("no_such_setting = 1\n")
    monkeypatch.setattr(postmaster, "START_PAUSES_SECONDS", (0.0,))
    with pytest.raises(NotReady, match="no_such_setting"), embedded.attached(new_home, test_mode=True):
        pass
    assert processes_below(new_home) == []
