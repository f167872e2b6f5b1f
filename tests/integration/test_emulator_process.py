"""The emulator as a process: how it starts, what it prints, how it ends."""

import re
import subprocess
import sys

import httpx2
import pytest

from tests.integration.emulator_process import ROOT, running_emulator, stop


def emulator_ends_with(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "emulator", *options]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=30, check=False)


def test_the_first_and_only_line_on_stdout_is_a_base_url_that_answers() -> None:
    with running_emulator() as emulator:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", emulator.base_url)
        assert emulator.meter()["requests"] == 0
        emulator.process.terminate()
        assert emulator.process.stdout is not None
        assert emulator.process.stdout.read() == ""


def test_sigterm_ends_it_with_status_0() -> None:
    with running_emulator() as emulator:
        assert stop(emulator.process) == 0


def test_sigterm_ends_it_with_answers_still_waiting() -> None:
    with running_emulator("--speed", "0.0001") as emulator:
        body = {"model": "claude-haiku-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
        with pytest.raises(httpx2.ReadTimeout):
            emulator.http.post("/v1/messages", json=body, headers={"x-api-key": "k"}, timeout=0.3)
        assert emulator.meter()["requests"] == 1
        assert stop(emulator.process) == 0


def test_two_emulators_do_not_know_of_each_other() -> None:
    with running_emulator() as one, running_emulator() as other:
        one.fault("api_error")
        assert other.faults() == []
        assert one.base_url != other.base_url


@pytest.mark.parametrize(
    "options",
    [
        ("--tier", "gold"),
        ("--speed", "0"),
        ("--miss-share", "2"),
        ("--port", "-1"),
        ("--port", "70000"),
        ("--stat", "f"),
    ],
    ids=" ".join,
)
def test_an_option_it_does_not_know_is_an_error_and_nothing_starts(options: tuple[str, ...]) -> None:
    ended = emulator_ends_with(*options)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert options[0] in ended.stderr


def test_help_names_every_option() -> None:
    ended = emulator_ends_with("--help")
    names = (
        "port",
        "speed",
        "tier",
        "burst-seconds",
        "latency",
        "answer-tokens",
        "preamble-tokens",
        "miss-share",
        "seed",
    )
    assert ended.returncode == 0
    assert [name for name in names if f"--{name}" not in ended.stdout] == []


def test_it_imports_nothing_of_ours() -> None:
    ours = ("cli", "flows", "tasks", "core", "models", "database")
    code = f"import sys, emulator.serving; print([m for m in sys.modules if m.split('.')[0] in {ours!r}])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert ended.stdout.strip() == "[]"
