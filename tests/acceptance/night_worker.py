"""Processes for tests to kill: each runs a flow of the overnight lane, and tells where it is.

They are forked from one process that has imported everything, which takes seconds. It reads one command a
line, `{"flow", "environment", "sleeps", "results_at_once"}`. They write a line, behind their process id, for
each thing that happens: `started`, `asleep` when the flow would sleep the next time after so many sleeps (and
does so for good), `ended`.
"""

import asyncio
import json
import os
import signal
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

from flows.overnight import collect_batches, summarize_overnight
from tasks import collecting
from tests.acceptance.night import NightClock

FLOWS: dict[str, Callable[..., Awaitable[Any]]] = {
    "overnight": summarize_overnight,
    "collect": collect_batches,
}


class Emulator:
    """The admin interface of the emulator that the environment names."""

    def admin(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{os.environ['ANTHROPIC_BASE_URL']}/_emulator/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            told: dict[str, Any] = json.loads(answer.read() or b"{}")
        return told


class HeldClock(NightClock):
    """A night clock that falls asleep for good, to be killed there."""

    def __init__(self, world: Emulator, sleeps: int | None) -> None:
        super().__init__(world)
        self.left = sleeps

    async def sleep(self, seconds: float) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                tell("asleep")
                await asyncio.Event().wait()
        await super().sleep(seconds)


def tell(words: str) -> None:
    """Write a line at once, whole."""
    os.write(1, f"{os.getpid()} {words}\n".encode())


def work(command: dict[str, Any]) -> None:
    """Run the flow in this process."""
    tell("started")
    os.environ.update(command["environment"])
    if command["results_at_once"]:
        collecting.RESULTS_AT_ONCE = command["results_at_once"]

    async def run() -> None:
        await FLOWS[command["flow"]](clock=HeldClock(Emulator(), command["sleeps"]))

    asyncio.run(run())


def main() -> None:
    """Fork a process for each command."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them: they are gone when they end
    for line in sys.stdin:
        if os.fork():
            continue
        try:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            work(json.loads(line))
        finally:
            tell("ended")
            os._exit(0)


if __name__ == "__main__":
    main()
