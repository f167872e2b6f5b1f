"""What survives `kill -9` with `--state`, and what is said when the file is no good."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import anthropic
import pytest

from tests.integration.emulator_process import ROOT, RunningEmulator, running_emulator
from tests.integration.emulator_requests import STABLE_TOKENS, asked, classes, send

OPTIONS = ("--latency", "off", "--tier", "unlimited", "--state")


@contextmanager
def killed_at_the_end(file: Path) -> Iterator[RunningEmulator]:
    """An emulator on a state file that ends by SIGKILL."""
    with running_emulator(*OPTIONS, str(file)) as emulator:
        yield emulator
        emulator.process.kill()
        emulator.process.wait()


def ends_with(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "emulator", *options]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=30, check=False)


def test_meter_calls_cache_and_clock_survive_a_kill(tmp_path: Path) -> None:
    file = tmp_path / "state"
    with killed_at_the_end(file) as emulator:
        send(emulator)
        emulator.advance(86_400)
        send(emulator)
        emulator.advance(240)
        before = emulator.meter(), emulator.calls(), emulator.now()
    with killed_at_the_end(file) as emulator:
        assert (emulator.meter(), emulator.calls()) == before[:2]
        assert before[2] <= emulator.now() < before[2][:11] + "24"
        assert classes(send(emulator).usage)[3] == STABLE_TOKENS
        assert [call["n"] for call in emulator.calls()] == [1, 2, 3]
    with killed_at_the_end(file) as emulator:
        assert emulator.meter()["requests"] == 3


def test_a_bill_is_in_the_file_before_its_answer_goes_out(tmp_path: Path) -> None:
    file = tmp_path / "state"
    with running_emulator("--speed", "0.0001", "--state", str(file)) as emulator:
        with pytest.raises(anthropic.APITimeoutError):
            emulator.client().messages.create(**asked(), timeout=0.3)
        emulator.process.kill()
        emulator.process.wait()
    with killed_at_the_end(file) as emulator:
        assert emulator.meter()["requests"] == 1


@pytest.mark.parametrize("seconds_before_the_kill", [0, 30, 200], ids=["just created", "waiting", "ended"])
def test_a_batch_survives_a_kill_and_is_billed_once(tmp_path: Path, seconds_before_the_kill: int) -> None:
    file = tmp_path / "state"
    with killed_at_the_end(file) as emulator:
        requests = [{"custom_id": f"i{n}", "params": asked()} for n in range(70)]
        batch = emulator.client().messages.batches.create(requests=requests)  # type: ignore[arg-type]
        emulator.advance(seconds_before_the_kill)
        billed = emulator.meter()["requests"]
    with killed_at_the_end(file) as emulator:
        assert emulator.meter()["requests"] == billed == (70 if seconds_before_the_kill == 200 else 0)
        emulator.advance(200)
        found = emulator.client().messages.batches.results(batch.id)
        assert {line.result.type for line in found} == {"succeeded"}
        assert emulator.meter()["requests"] == 70


def test_a_reset_empties_the_file(tmp_path: Path) -> None:
    file = tmp_path / "state"
    with killed_at_the_end(file) as emulator:
        send(emulator)
        emulator.reset()
    with killed_at_the_end(file) as emulator:
        assert (emulator.meter()["requests"], emulator.calls()) == (0, [])
        assert classes(send(emulator).usage)[3] == 0


def test_two_emulators_cannot_share_a_file(tmp_path: Path) -> None:
    file = tmp_path / "state"
    with killed_at_the_end(file) as emulator:
        ended = ends_with("--state", str(file))
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "another emulator is using it" in ended.stderr
        assert emulator.meter()["requests"] == 0


def a_text(file: Path) -> None:
    file.write_text("A shopping list, long enough to be looked at. " * 50)


def another_database(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE precious (n)")


@pytest.mark.parametrize("write", [a_text, another_database])
def test_a_file_of_something_else_is_an_error_and_stays_as_it_is(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    file = tmp_path / "state"
    write(file)
    content = file.read_bytes()
    ended = ends_with("--state", str(file))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "name a new file" in ended.stderr
    assert file.read_bytes() == content


def test_a_folder_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    ended = ends_with("--state", str(tmp_path / "nowhere" / "state"))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "in a folder that can be written" in ended.stderr


def test_the_clock_never_runs_backwards_over_a_kill_at_any_speed(tmp_path: Path) -> None:
    file = tmp_path / "state"
    with running_emulator("--speed", "1000", "--state", str(file), "--latency", "off") as emulator:
        send(emulator)
        before = emulator.now()
        while emulator.now()[:16] == before[:16]:
            pass  # a minute of its time, with nothing to remember
        before = emulator.now()
        emulator.process.kill()
        emulator.process.wait()
    with killed_at_the_end(file) as emulator:
        assert emulator.now() >= before


def test_a_file_of_another_version_says_so(tmp_path: Path) -> None:
    file = tmp_path / "state"
    with killed_at_the_end(file):
        pass
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert "of another version" in ends_with("--state", str(file)).stderr
