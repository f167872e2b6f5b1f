r"""Keep the lines that a load turned away: one JSON object for each, `{file, line, reason, raw}`, in ASCII.

`raw` is the line without its line end and byte order mark. A byte that is not UTF-8 stands in it as
`\udc80`..`\udcff`, so `json.loads(line)["raw"].encode("utf-8", "surrogateescape")` is always the line as it
was, byte for byte.
"""

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from core.errors import NotReady

Reject = tuple[str, int, str, bytes]  # kind, line number, reason, raw


def write_rejects(rejects: Iterable[Reject], home: Path, now: datetime) -> Path:
    """Write the rejects down to the disk, in a new file below `home` that is named by the time of the load.

    Only its owner may read it, for it holds notes on children. Raises NotReady when it cannot be written.
    """
    folder = home.absolute() / "rejects"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path, descriptor = _new_file(folder, now)
        try:
            with open(descriptor, "w", encoding="ascii") as file:
                file.writelines(_as_line(reject) for reject in rejects)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise
        for changed in (folder, folder.parent):
            _sync_folder(changed)
    except OSError as error:
        raise NotReady(
            f"The rejects file cannot be written below {folder}: {error.strerror}. Nothing was loaded. "
            "Make room there, or set TOUCHLINE_HOME to a folder that you can write."
        ) from error
    return path


def _new_file(folder: Path, now: datetime) -> tuple[Path, int]:
    """Create a file named by the time of the load that was not there before."""
    stem = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    for n in count(1):
        path = folder / (f"{stem}.jsonl" if n == 1 else f"{stem}-{n}.jsonl")
        try:
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
    raise AssertionError("unreachable")


def _as_line(reject: Reject) -> str:
    kind, line, reason, raw = reject
    told = {"file": f"{kind}.jsonl", "line": line, "reason": reason}
    return json.dumps({**told, "raw": raw.decode("utf-8", "surrogateescape")}) + "\n"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
