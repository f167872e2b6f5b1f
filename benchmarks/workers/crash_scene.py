"""One crash: a run in its middle, somebody killed, and what is seen until everything is done all the same.

`python -m benchmarks.workers.crash_scene CASE LOCK` prints what was measured as one JSON object.
Whatever needs the machine's processor is done under the lock file, so that cases can wait beside each other.
"""

import fcntl
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from benchmarks.workers.crash_books import Moment, books_after, moment_of, reclaimed_after
from benchmarks.workers.prefect_server import kill, wait_until
from benchmarks.workers.stack import Stack, copied_database, loaded_template, running_stack
from cli.emulator import running_process

INSIGHTS = 400
LEASE_SECONDS = 300  # the shortest that is allowed
DOWN_SECONDS = 20.0  # how long a server that was killed stays away
LOOK_SECONDS = 2.0
TRY_SECONDS = 20.0  # how often a new run of `summarize` is asked for until one is accepted
SECONDS_MAX = 1_500
WORKERS = ("one", "two")
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@dataclass(slots=True)
class Scene:
    """A run in its middle: `victim` is the worker that has it."""

    stack: Stack
    url: str
    run_id: str
    victim: str
    workers: dict[str, Any]
    environment: dict[str, str]
    killed_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def since(self, when: datetime) -> float:
        """Give the seconds from the kill to a moment."""
        return round((when - self.killed_at).total_seconds(), 1)

    @property
    def seconds(self) -> float:
        """Give the seconds since the kill."""
        return self.since(datetime.now(UTC))

    def kill_flow(self) -> None:
        """End the process that runs the flow."""
        for pid in self.stack.flow_processes(self.victim)["flow"]:
            kill(pid)

    def kill_worker(self) -> None:
        """End the worker that has started the flow."""
        worker = self.workers.pop(self.victim)
        kill(worker.pid)
        worker.wait()
        self.stack.workers.remove(worker)

    def stop_worker(self) -> None:
        """Ask the worker to end, as systemd and containers do first; it ends once its flow has."""
        self.workers.pop(self.victim).terminate()

    def kill_both(self) -> None:
        """End the worker first, so that it cannot tell."""
        self.kill_worker()
        self.kill_flow()

    def kill_server(self) -> None:
        """End Prefect's server."""
        self.stack.server.kill()

    def kill_everything(self) -> None:
        """End server, workers and flow, as when a machine that has them all loses power."""
        self.kill_server()
        for worker in self.workers.values():
            kill(worker.pid)
            worker.wait()
            self.stack.workers.remove(worker)
        self.workers.clear()
        self.kill_flow()

    def come_back(self) -> None:
        """Start again what an operator, or systemd, would start again."""
        server = self.stack.server.process
        if server is not None and server.poll() is not None:
            time.sleep(DOWN_SECONDS)
            self.stack.server.start()
        if not self.workers:
            self.workers["three"] = self.stack.start_worker("three", self.environment)


@dataclass(frozen=True, slots=True)
class Case:
    """Who is killed, and how: `concurrency` is low where the run must last beyond what the server forgets."""

    kill: Callable[[Scene], None]
    concurrency: int = 4
    server: dict[str, str] = field(default_factory=dict)


FILE_LEASES = {
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem"
}
CASES = {
    "flow": Case(Scene.kill_flow),
    "worker": Case(Scene.kill_worker),
    "worker stopped": Case(Scene.stop_worker),
    "both": Case(Scene.kill_both),
    "server": Case(Scene.kill_server, concurrency=1),
    "server, leases in files": Case(Scene.kill_server, concurrency=1, server=FILE_LEASES),
    "everything": Case(Scene.kill_everything),
    "everything, leases in files": Case(Scene.kill_everything, server=FILE_LEASES),
}


def play(name: str, lock: Path) -> dict[str, Any]:
    """Play a case from beginning to end; gives what was measured. Raises ProofFailed."""
    case = CASES[name]
    with TemporaryDirectory(prefix="touchline-crash-") as folder, held(lock) as let_go:
        home = Path(folder)
        with (
            running_stack(home, case.server) as stack,
            running_process(["--tier", "unlimited"]) as (_, base_url),
        ):
            url = copied_database(stack.server_url, loaded_template(stack.server_url, home, INSIGHTS))
            environment = {
                "DATABASE_URL": url,
                "ANTHROPIC_BASE_URL": base_url,
                "TOUCHLINE_CONCURRENCY": str(case.concurrency),
                "TOUCHLINE_LEASE_SECONDS": str(LEASE_SECONDS),
            }
            scene = in_the_middle(stack, url, environment)
            scene.killed_at = datetime.now(UTC)
            case.kill(scene)
            before = moment_of(url)
            scene.come_back()
            let_go()
            watched = watch(scene, before)
            return {"case": name, **watched, **books_after(url, base_url, before)}


@contextmanager
def held(lock: Path) -> Iterator[Callable[[], None]]:
    """Hold a lock file until the block ends, or what it gives is called."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield lambda: fcntl.flock(file, fcntl.LOCK_UN)


def in_the_middle(stack: Stack, url: str, environment: dict[str, str]) -> Scene:
    """Have two workers and one run, which is in its middle."""
    workers = {name: stack.start_worker(name, environment) for name in WORKERS}
    run_id = stack.api.trigger("summarize")
    wait_until(lambda: is_in_the_middle(url), "the run did not get going")
    (victim,) = [name for name in WORKERS if stack.flow_processes(name)["flow"]]
    return Scene(stack, url, run_id, victim, workers, environment)


def is_in_the_middle(url: str) -> bool:
    """Say whether some attempts are settled and some in flight."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT outcome, count(*) FROM ai_usage_log GROUP BY outcome").fetchall()
    counted: dict[str, int] = dict(found)
    return counted.get("succeeded", 0) >= 10 and counted.get("sent", 0) > 0


def watch(scene: Scene, before: Moment) -> dict[str, Any]:
    """Ask for new runs as schedules and operators would, until every insight is done; gives what was seen."""
    api, slots = scene.stack.api, [(0.0, 1)]
    catch_up, tried = api.trigger("catch-up"), [api.trigger("summarize")]
    tried_at = time.monotonic()
    while not is_done(scene, [scene.run_id, catch_up, *tried]):
        if scene.seconds > SECONDS_MAX:
            raise TimeoutError(f"not done after {SECONDS_MAX} s: {[api.states(one) for one in tried]}")
        time.sleep(LOOK_SECONDS)
        if (now_taken := api.slots_taken("summarize")) != slots[-1][1]:
            slots.append((scene.seconds, now_taken))
        last = api.state(tried[-1])
        leases_over = datetime.now(UTC) > before.leases_end and last in ENDED and are_left(scene.url)
        again = last == "CANCELLED" or leases_over
        if again and time.monotonic() - tried_at >= TRY_SECONDS:
            tried.append(api.trigger("summarize"))
            tried_at = time.monotonic()
    return {
        "run": _timeline(scene, scene.run_id),
        "slots": slots,
        "catch_up": _timeline(scene, catch_up),
        "summarize": [_timeline(scene, one) for one in tried],
        "leases_end": scene.since(before.leases_end) if before.claimed else None,
        "claimed_again": reclaimed_after(scene.url, before, scene.killed_at, scene.run_id),
        "done": scene.seconds,
    }


def is_done(scene: Scene, run_ids: list[str]) -> bool:
    """Say whether every insight and every run has come to its end."""
    return not are_left(scene.url) and all(scene.stack.api.state(one) in ENDED for one in run_ids)


def are_left(url: str) -> bool:
    """Say whether there are insights that are not done."""
    with psycopg.connect(url) as connection:
        (left,) = connection.execute(LEFT).fetchone() or (0,)
    return bool(left)


def _timeline(scene: Scene, run_id: str) -> list[tuple[float, str, str]]:
    return [(scene.since(when), name, said[:200]) for when, name, said in scene.stack.api.states(run_id)]


LEFT = "SELECT count(*) FROM insight WHERE state IN ('pending', 'claimed', 'deferred')"

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    print(json.dumps(play(sys.argv[1], Path(sys.argv[2]))))
