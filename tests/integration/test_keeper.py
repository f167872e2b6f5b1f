"""What a command has started ends with it: told to, killed, or when its keeper is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

COMMAND = """
import os, subprocess, sys, time
from pathlib import Path
from cli.keeper import handed_over, require_untold
from cli.processes import end_below, running

code = handed_over(lambda: end_below(os.getpid(), seconds_max=5))
if code is not None:
    sys.exit(code if code >= 0 else 1)
grandchild = "import subprocess; subprocess.run(['sleep', '600'], start_new_session=True)"
try:
    with running("sleeper", [sys.executable, "-c", grandchild], Path(sys.argv[1]), os.environ):
        print(os.getpid(), flush=True)
        while True:
            require_untold()
            time.sleep(0.02)
except KeyboardInterrupt:
    pass
finally:
    end_below(os.getpid(), seconds_max=5)
"""
END_SECONDS_MAX = 30


@dataclass
class Kept:
    """A command with a keeper that has started a process, which has started another in its own session."""

    process: "subprocess.Popen[str]"
    keeper: int
    mark: str

    def left(self) -> list[str]:
        """The command lines of what still lives of it, known by a mark in its environment."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                environment = (folder / "environ").read_bytes().decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue  # it ended meanwhile, or is another user's
            if command and self.mark in environment:
                found.append(command)
        return found

    def await_left(self, number: int) -> None:
        """Wait until so many of its processes live."""
        deadline = time.monotonic() + END_SECONDS_MAX
        while len(self.left()) != number:
            assert time.monotonic() < deadline, self.left()
            time.sleep(0.02)


@contextmanager
def kept(folder: Path, before: str = "") -> Iterator[Kept]:
    mark = f"TEST_KEEPER={folder}"
    process = subprocess.Popen(
        [sys.executable, "-c", before + COMMAND, folder / "sleeper.log"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | dict([mark.split("=", 1)]),
    )
    assert process.stdout is not None
    running = Kept(process, int(process.stdout.readline()), mark)
    try:
        running.await_left(4)  # command, keeper, child, grandchild
        yield running
    finally:
        process.kill()
        process.communicate()
        running.await_left(0)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda one: one.name)
def test_told_to_end_it_leaves_nothing_and_exits_with_0(tmp_path: Path, ending: signal.Signals) -> None:
    with kept(tmp_path) as running:
        running.process.send_signal(ending)
        assert running.process.wait(END_SECONDS_MAX) == 0
        assert running.left() == []


def test_told_twice_it_still_ends_in_order(tmp_path: Path) -> None:
    with kept(tmp_path) as running:
        for _ in range(2):
            running.process.send_signal(signal.SIGINT)
        assert running.process.wait(END_SECONDS_MAX) == 0
        assert running.left() == []


def test_killed_it_leaves_nothing(tmp_path: Path) -> None:
    with kept(tmp_path) as running:
        running.process.kill()
        running.await_left(0)


def test_when_its_keeper_is_killed_the_command_ends_what_that_had_started_and_fails(tmp_path: Path) -> None:
    with kept(tmp_path) as running:
        os.kill(running.keeper, signal.SIGKILL)
        assert running.process.wait(END_SECONDS_MAX) == 1
        assert running.left() == []


def test_started_with_nohup_it_outlives_its_terminal(tmp_path: Path) -> None:
    with kept(tmp_path, "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n") as running:
        running.process.send_signal(signal.SIGHUP)
        running.process.send_signal(signal.SIGCONT)
        time.sleep(0.2)
        assert running.process.poll() is None
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(END_SECONDS_MAX) == 0
