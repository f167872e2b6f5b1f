"""Processes that a command starts: they end when it does, however it ends, and lost ones are found again."""

import contextlib
import ctypes
import http.client
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.errors import NotReady

SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
SET_CHILD_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, likewise
STOP_SECONDS_MAX = 10
POLL_SECONDS = 0.1
LOG_LINES_SHOWN = 15


@dataclass(frozen=True, slots=True)
class Part:
    """A process that a command has started, by the name that a person knows it by."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def ended(self) -> str | None:
        """What to say of a part that ended by itself; None while it runs."""
        code = self.process.poll()
        if code is None:
            return None
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"The {self.name} {how}. {self.log} ends with:\n{last_lines(self.log)}"


@contextmanager
def running(name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Iterator[Part]:
    """Run a process for as long as the block lasts, its output in a log of its own.

    It is in a session of its own, so that Ctrl-C reaches us first and we end it. Call this in the main
    thread: the kernel takes the end of the thread for the end of the parent.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        log.replace(log.with_name(f"{log.name}.old"))
    parent = os.getpid()
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=lambda: _settle(parent),
        )
    try:
        yield Part(name, process, log)
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to end, and kill it when it does not."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _settle(parent: int) -> None:
    """What a shell starts in the background ignores Ctrl-C, and Prefect's worker ends by nothing else."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    die_with(parent)


def die_with(parent: int) -> None:
    """Have the kernel send this process SIGTERM when its parent ends, even by kill -9."""
    ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before the kernel was told
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of whatever loses its parent below us, so that it can be found and ended."""
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1)


def reap_orphans(ours: Iterable[int]) -> None:
    """Let go of adopted processes that have ended; for `ours`, which we have started, others ask."""
    known = set(ours)
    with contextlib.suppress(ChildProcessError):
        while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if found.si_pid in known:
                return
            os.waitpid(found.si_pid, 0)


def descendants(ancestor: int, but: Iterable[int] = ()) -> list[int]:
    """Give the pids of all live processes below one; not those named in `but`, nor what is below them."""
    children: dict[int, list[int]] = {}
    for pid, parent in _living():
        children.setdefault(parent, []).append(pid)
    found, spared = [], set(but)
    waiting = [ancestor]
    while waiting:
        below = [pid for pid in children.get(waiting.pop(), ()) if pid not in spared]
        found += below
        waiting += below
    return found


def _living() -> Iterator[tuple[int, int]]:
    """Give (pid, parent's pid) of every process that has not ended."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    yield int(entry.name), int(parent)


def end_below(ancestor: int, *, seconds_max: float, but: Iterable[int] = ()) -> None:
    """End all processes below one: each is asked once, and killed when it is still there after that time."""
    deadline, asked = time.monotonic() + seconds_max, set[int]()
    while left := descendants(ancestor, but):
        for pid in left:
            if time.monotonic() > deadline:
                tell(pid, signal.SIGKILL)
            elif pid not in asked:
                asked.add(pid)
                tell(pid, signal.SIGTERM)
        time.sleep(POLL_SECONDS)


def tell(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def await_answer(
    url: str, parts: Iterable[Part], *, seconds_max: float, look: Callable[[], None] = lambda: None
) -> None:
    """Wait until an address answers; `look` may raise meanwhile.

    Raises NotReady when it does not answer in time, or one of the parts has ended.
    """
    deadline = time.monotonic() + seconds_max
    while not answers(url):
        look()
        require_alive(parts)
        if time.monotonic() > deadline:
            raise NotReady(f"{url} does not answer after {seconds_max:.0f} s.")
        time.sleep(POLL_SECONDS)


def require_alive(parts: Iterable[Part]) -> None:
    """Raise NotReady with the end of its log when one of the parts has ended."""
    for part in parts:
        if told := part.ended:
            raise NotReady(told)


def answers(url: str) -> bool:
    """Whether a GET is answered, be it by asking for a login."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError as error:
        return error.code in {401, 403}
    except (OSError, http.client.HTTPException):
        return False


def last_lines(log: Path) -> str:
    """Give the end of a log, or say that it is empty."""
    lines = log.read_text("utf-8", errors="replace").rstrip().splitlines()
    return "\n".join(lines[-LOG_LINES_SHOWN:]) or "(nothing)"


def free_port() -> int:
    """Give a port of 127.0.0.1 that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of 127.0.0.1, or on that port of every address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: a closed one is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
