"""kill -9 at each step of a night, then a new run: one summary each, and the ledger equals the meter."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.conftest import World
from tests.acceptance.night import (
    NightClock,
    assert_books_equal,
    assert_each_has_one_summary,
    at_vendor,
    batches,
    calls,
    collect,
    evening,
    held_after_settling,
    load_alike,
    outcomes,
    overnight,
    waiting,
)

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 60
HANGS_SECONDS = 3_000  # a create call, unless somebody moves the clock
HEARD_WITHIN_SECONDS = 660  # of a create call, else its sender is dead
LEASE_SECONDS = 601


@dataclass
class Workers:
    """Where processes that run flows come from; one at a time."""

    process: "subprocess.Popen[bytes]"
    pid: int = 0

    def start(
        self, flow: str = "overnight", *, sleeps: int | None = None, results_at_once: int | None = None
    ) -> None:
        """Have a process run a flow in the environment of the test."""
        names = ("DATABASE_URL", "ANTHROPIC_BASE_URL", "TOUCHLINE_HOME")
        environment = {name: os.environ[name] for name in names}
        command = {
            "flow": flow,
            "environment": environment,
            "sleeps": sleeps,
            "results_at_once": results_at_once,
        }
        assert self.process.stdin is not None
        self.process.stdin.write(f"{json.dumps(command)}\n".encode())
        self.process.stdin.flush()
        words = ""
        while words != "started":  # those before may still say that they end
            self.pid, words = self._line()

    def told(self) -> str:
        """Give what it tells next."""
        return self._line()[1]

    def _line(self) -> tuple[int, str]:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], SECONDS_MAX)
        assert ready, "it has said nothing for too long"
        pid, words = self.process.stdout.readline().decode().split()
        return int(pid), words

    def kill(self) -> None:
        """Kill -9, and wait until it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        wait_until(self.is_gone)

    def is_gone(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        return False


@pytest.fixture(scope="module")
def workers_process(prefect_server: str) -> Iterator[Workers]:
    """One process for the module, forked from for each test."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.acceptance.night_worker"],
        cwd=ROOT,
        env=os.environ | {"PREFECT_API_URL": prefect_server},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
    )
    try:
        yield Workers(process)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def workers(workers_process: Workers) -> Iterator[Workers]:
    """Processes that are gone when the test is over, however it ends."""
    workers_process.pid = 0
    yield workers_process
    if workers_process.pid and not workers_process.is_gone():
        workers_process.kill()


def wait_until(happened: Callable[[], bool]) -> None:
    """Return once something has happened in another process."""
    deadline = time.monotonic() + SECONDS_MAX
    while not happened():
        assert time.monotonic() < deadline, "it has not happened for too long"
        time.sleep(0.01)


def kill_at_create(world: World, workers: Workers) -> None:
    """Start a run, and kill it while the emulator keeps it waiting at its first create call."""
    workers.start()
    wait_until(lambda: not world.admin("GET", "faults")["faults"])
    workers.kill()


def test_killed_before_its_batch_was_created_what_was_written_down_is_free_again_and_sent_once(
    world: World, workers: Workers
) -> None:
    """Of two clubs: the second's batch is not even written down yet, its insights are only claimed."""
    load_alike(world, players=1, elsewhere=1)
    clock = evening(world)
    world.fault(kind="timeout", at="batches.create", seconds=HANGS_SECONDS)  # and never works on it
    kill_at_create(world, workers)
    assert world.states() == {"claimed": 1, "in_batch": 1}
    overnight(world, clock)
    assert at_vendor(world) == []
    assert world.states() == {"claimed": 1, "in_batch": 1}
    clock.advance(HEARD_WITHIN_SECONDS)
    collect(world, clock)
    assert world.states() == {"claimed": 1, "in_batch": 1}, "the API's list may be a little late"
    clock.advance(61)
    collect(world, clock)
    assert ("pending", "batch_not_created", False, 1) in waiting(world)
    overnight(world, clock)
    assert outcomes(world) == [("rejected", "batch_not_created", 1), ("succeeded", None, 2)]
    assert_each_has_one_summary(world, 2)
    assert_books_equal(world)


def test_killed_before_it_heard_that_its_prime_was_created_the_prime_is_found_and_paid_once(
    world: World, workers: Workers
) -> None:
    load_alike(world, players=6)
    clock = evening(world)
    world.fault(kind="slow_first_byte", at="batches.create", seconds=HANGS_SECONDS)  # after working on it
    kill_at_create(world, workers)
    wait_until(lambda: len(at_vendor(world)) == 1)
    assert (batches(world)[0]["state"], batches(world)[0]["vendor_id"]) == ("sent", None)
    assert world.states() == {"in_batch": 1, "pending": 5}
    clock.advance(120)
    collect(world, clock)
    assert world.states() == {"in_batch": 1, "pending": 5}, "its sender may be waiting for the answer"
    clock.advance(HEARD_WITHIN_SECONDS)
    collect(world, clock)
    collect(world, clock)
    assert world.states() == {"pending": 5, "summarized": 1}
    overnight(world, clock)
    assert [one["kind"] for one in batches(world)] == ["prime", "main"]
    assert all(row["cache_read_tokens"] for row in calls(world, "main"))
    assert_each_has_one_summary(world, 6)
    assert_books_equal(world)


@pytest.mark.parametrize(("at", "sleeps"), [("prime", 1), ("main", 5)])
def test_killed_while_it_polled_its_batch_is_collected_by_others_and_its_row_gets_the_figures(
    world: World, workers: Workers, at: str, sleeps: int
) -> None:
    load_alike(world, players=6)
    evening(world)
    workers.start(sleeps=sleeps)
    assert workers.told() == "asleep"
    workers.kill()
    assert (batches(world)[-1]["kind"], batches(world)[-1]["state"]) == (at, "open")
    (row,) = world.rows("SELECT run_id, ended_at FROM summary_run")
    assert row["ended_at"] is None
    clock = NightClock(world)
    clock.advance(120)
    collect(world, clock)
    (row,) = world.rows("SELECT * FROM summary_run")
    assert row["billed_usd"] == sum(one["cost_usd"] for one in world.ledger())
    assert (row["ended_at"] is None, row["insights"], row["calls"]) == (
        False,
        6 if at == "main" else 1,
        6 if at == "main" else 1,
    )
    overnight(world, clock)
    assert [one["kind"] for one in batches(world)] == ["prime", "main"]
    assert_each_has_one_summary(world, 6)
    assert_books_equal(world)


def test_killed_in_the_middle_of_collecting_the_rest_is_collected_once_its_lease_has_ended(
    world: World, workers: Workers
) -> None:
    load_alike(world, players=12)
    evening(world)
    with held_after_settling(world, attempts=5) as waiting_for_locks:
        workers.start(results_at_once=2)
        wait_until(lambda: waiting_for_locks() > 0)
        workers.kill()
    settled = [row for row in world.ledger() if row["outcome"] == "succeeded"]
    assert 5 <= len(settled) < 12
    clock = NightClock(world)
    overnight(world, clock)
    collect(world, clock)
    assert world.states() == {"in_batch": 12 - len(settled), "summarized": len(settled)}
    clock.advance(LEASE_SECONDS)
    collect(world, clock)
    assert_each_has_one_summary(world, 12)
    assert [row for row in world.ledger() if row in settled] == settled
    assert_books_equal(world)


def test_a_collector_that_is_killed_too_leaves_the_rest_to_the_next(world: World, workers: Workers) -> None:
    load_alike(world, players=6)
    evening(world)
    workers.start(sleeps=5)
    assert workers.told() == "asleep"
    workers.kill()
    clock = NightClock(world)
    clock.advance(120)
    with held_after_settling(world, attempts=3) as waiting_for_locks:
        workers.start("collect", results_at_once=1)
        wait_until(lambda: waiting_for_locks() > 0)
        workers.kill()
    assert 3 <= world.states()["summarized"] < 6
    clock.advance(LEASE_SECONDS)
    collect(world, clock)
    assert_each_has_one_summary(world, 6)
    assert_books_equal(world)
    (row,) = world.rows("SELECT * FROM summary_run")
    assert row["billed_usd"] == sum(one["cost_usd"] for one in world.ledger())
