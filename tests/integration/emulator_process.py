"""Start `python -m emulator` for a test, and stop it whatever happens."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
from anthropic import Anthropic, AsyncAnthropic

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 10
KEY = "test-key"
VERSION = {"anthropic-version": "2026-10-21"}


@dataclass(frozen=True)
class RunningEmulator:
    """A running emulator: where it is, its process, and its admin interface."""

    base_url: str
    process: subprocess.Popen[str]
    http: httpx2.Client

    def client(self, key: str = KEY) -> Anthropic:
        """The official SDK on this emulator; every attempt is the test's own."""
        return _client(self.base_url, key)

    def async_client(self, key: str = KEY) -> AsyncAnthropic:
        """The same, to be built inside the running loop."""
        return AsyncAnthropic(api_key=key, base_url=self.base_url, max_retries=0)

    def meter(self) -> dict[str, Any]:
        return self._admin("GET", "meter")

    def calls(self, after: int = 0, limit: int = 1_000) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = self._admin("GET", f"calls?after={after}&limit={limit}")["calls"]
        return calls

    def now(self) -> str:
        return str(self._admin("GET", "clock")["now"])

    def advance(self, seconds: float) -> None:
        self._admin("POST", "clock", {"advance_seconds": seconds})

    def fault(self, kind: str, **how: Any) -> None:
        self._admin("POST", "faults", {"kind": kind, **how})

    def faults(self) -> list[dict[str, Any]]:
        faults: list[dict[str, Any]] = self._admin("GET", "faults")["faults"]
        return faults

    def clear_faults(self) -> None:
        self._admin("DELETE", "faults")

    def reset(self) -> None:
        self._admin("POST", "reset")

    def _admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self.http.request(method, f"/_emulator/{path}", json=body)
        answer.raise_for_status()
        content: dict[str, Any] = answer.json()
        return content


@cache
def _client(base_url: str, key: str) -> Anthropic:
    """One client per emulator and key: building one takes longer than many calls."""
    return Anthropic(api_key=key, base_url=base_url, max_retries=0)


@contextmanager
def running_emulator(*options: str) -> Iterator[RunningEmulator]:
    """An emulator on a free port with these command-line options; stopped by SIGTERM at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "emulator", "--port", "0", *options],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        if not base_url:
            raise RuntimeError(
                f"the emulator ended with status {process.wait(STOP_SECONDS)} before it was ready"
            )
        with httpx2.Client(timeout=60, base_url=base_url, headers=VERSION) as http:
            yield RunningEmulator(base_url, process, http)
    finally:
        stop(process)


def stop(process: subprocess.Popen[str]) -> int:
    """SIGTERM, then SIGKILL for what does not listen; the exit status."""
    process.terminate()
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
    finally:
        if process.stdout:
            process.stdout.close()
