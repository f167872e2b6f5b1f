"""The process that keeps what a long command has started, so that it can be ended in order whatever happens.

The command forks: the parent is what a person sees, and passes on what it is told; the keeper, its child,
does the work. A kill -9 of the parent is told to the keeper by the kernel; a kill -9 of the keeper leaves
what it has started to the parent, which ends it.
"""

import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

from cli.processes import POLL_SECONDS, Part, adopt_orphans, die_with, require_alive, tell

T = TypeVar("T")
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_told: list[int] = []  # the signals that have asked this process to end


def handed_over(when_killed: Callable[[], None]) -> int | None:
    """Go on in a child, the keeper: gives None there, and its exit code here, once it has ended.

    The keeper asks by `require_untold` whether it is to end. `when_killed` is done here when it was killed.
    """
    adopt_orphans()
    parent = os.getpid()
    heard = [ending for ending in ENDINGS if signal.getsignal(ending) is not signal.SIG_IGN]  # nohup
    signal.pthread_sigmask(signal.SIG_BLOCK, heard)
    keeper = os.fork()
    if keeper == 0:
        os.setsid()  # Ctrl-C reaches the parent alone
        signal.signal(signal.SIGTERM, _hear)
        die_with(parent)
        adopt_orphans()
    for ending in heard:
        signal.signal(ending, _hear if keeper == 0 else lambda *_: tell(keeper, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, heard)
    if keeper == 0:
        return None
    code = os.waitstatus_to_exitcode(os.waitpid(keeper, 0)[1])
    if code < 0:
        when_killed()
    return code


def _hear(number: int, frame: object) -> None:
    """Remember it: an exception raised here could be lost, in a destructor, or break off an end half-way."""
    _told.append(number)


def require_untold() -> None:
    """Raise KeyboardInterrupt when this process was told to end."""
    if _told:
        raise KeyboardInterrupt


def beside(parts: Sequence[Part], work: Callable[[], T]) -> T:
    """Do work in a thread of its own, as long as the parts live and nobody tells us to end.

    Raises NotReady for a part that has ended, KeyboardInterrupt, or what the work raises.
    """
    done: Future[T] = Future()

    def do() -> None:
        try:
            done.set_result(work())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where we are waited for
            done.set_exception(error)

    Thread(target=do, daemon=True).start()
    while not done.done():
        require_untold()
        require_alive(parts)
        time.sleep(POLL_SECONDS)
    if done.exception():
        require_alive(parts)  # rather the cause than what came of it
    return done.result()
