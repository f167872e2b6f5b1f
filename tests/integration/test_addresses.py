"""A running `up` is found by its lock and its file, and nothing that a killed one left is believed."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cli import addresses
from cli.addresses import Addresses, announce, claim, find_up, folder_of
from core.errors import NotReady

THERE = Addresses(1, "http://127.0.0.1:2", "http://127.0.0.1:2/api", "postgresql://", None)


def test_without_a_running_up_none_is_found(tmp_path: Path) -> None:
    assert find_up(tmp_path) is None
    with claim(tmp_path) as is_first:
        assert is_first
    assert find_up(tmp_path) is None


def test_a_running_up_is_found_with_all_its_addresses_and_a_second_one_is_not_let_in(tmp_path: Path) -> None:
    with claim(tmp_path):
        announce(tmp_path, THERE)
        assert find_up(tmp_path) == THERE
        with claim(tmp_path) as is_first:
            assert not is_first
        assert find_up(tmp_path) == THERE, "the second must not take away what the first has told"
    assert find_up(tmp_path) is None


def test_an_up_that_is_starting_is_waited_for(tmp_path: Path) -> None:
    found: list[Addresses | None] = []
    with claim(tmp_path):
        assert find_up(tmp_path, wait=False) is None
        waiting = threading.Thread(target=lambda: found.append(find_up(tmp_path)))
        waiting.start()
        announce(tmp_path, THERE)
        waiting.join(10)
    assert found == [THERE]


def test_an_up_that_never_gets_ready_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "START_SECONDS_MAX", 0)
    with claim(tmp_path), pytest.raises(NotReady, match="has been starting for"):
        find_up(tmp_path)


def test_a_killed_up_is_not_found_though_its_file_is_there(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from cli.addresses import *\n"
        "with claim(Path(sys.argv[1])):\n"
        "    announce(Path(sys.argv[1]), Addresses(1, '', '', '', None)); print(flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        assert find_up(tmp_path) is not None
    finally:
        process.kill()
        process.communicate()
    assert (folder_of(tmp_path) / "addresses.json").exists()
    assert find_up(tmp_path) is None


def test_whoever_only_looks_does_not_keep_one_from_starting(tmp_path: Path) -> None:
    with claim(tmp_path):
        pass
    enough = time.monotonic() + 1
    looking = threading.Thread(
        target=lambda: [find_up(tmp_path, wait=False) for _ in iter(lambda: time.monotonic() < enough, False)]
    )
    looking.start()
    taken = []
    while looking.is_alive():
        with claim(tmp_path) as is_first:
            taken.append(is_first)
    assert taken
    assert all(taken)
