"""Where a running `touchline up` is found: a lock that ends with it, and a file with its addresses.

up/lock             locked as long as an `up` of this home lives; a kill -9 frees it
up/addresses.json   there from the moment that all is ready until its end begins
"""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from core.errors import NotReady

START_SECONDS_MAX = 240
LOOK_SECONDS_MAX = 0.5
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Addresses:
    """What another command needs to know of a running `up`; `database` has no password."""

    pid: int
    ui_url: str
    api_url: str
    database: str
    emulator: str | None  # None: calls go where the environment says


def folder_of(home: Path) -> Path:
    """Return the folder in which `up` keeps lock, addresses and logs."""
    return home.absolute() / "up"


def find_up(home: Path, *, wait: bool = True) -> Addresses | None:
    """Give the addresses of the `up` of this home; None when none runs.

    One that is starting or stopping is waited for, unless told not to. Raises NotReady when that never ends.
    """
    lock = folder_of(home) / "lock"
    deadline = time.monotonic() + START_SECONDS_MAX
    while lock.exists() and not _is_free(lock):
        if (found := _read(home)) or not wait:
            return found
        if time.monotonic() > deadline:
            raise NotReady(f"`touchline up` in {home} has been starting for {START_SECONDS_MAX} s: end it.")
        time.sleep(POLL_SECONDS)
    return None


@contextmanager
def claim(home: Path) -> Iterator[bool]:
    """Be the `up` of this home for as long as the block lasts; False when there is one already."""
    folder = folder_of(home)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise NotReady(
            f"{folder} cannot be used ({error.strerror}); set TOUCHLINE_HOME to another."
        ) from None
    with lock:
        if not _taken(lock):
            yield False
            return
        withdraw(home)  # what a killed one has left
        try:
            yield True
        finally:
            withdraw(home)


def _taken(lock: IO[str]) -> bool:
    deadline = time.monotonic() + LOOK_SECONDS_MAX
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # by one who only looks, maybe: that takes no time
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        else:
            return True


def announce(home: Path, addresses: Addresses) -> None:
    """Tell other commands where we are; they read all of it or nothing."""
    path = folder_of(home) / "addresses.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(addresses)), "utf-8")
    partial.replace(path)


def withdraw(home: Path) -> None:
    """Let no other command rely on us any more."""
    (folder_of(home) / "addresses.json").unlink(missing_ok=True)


def _is_free(lock: Path) -> bool:
    descriptor = os.open(lock, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(descriptor)


def _read(home: Path) -> Addresses | None:
    try:
        return Addresses(**json.loads((folder_of(home) / "addresses.json").read_text("utf-8")))
    except FileNotFoundError:
        return None
