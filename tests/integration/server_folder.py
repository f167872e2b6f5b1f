"""Where the test servers keep their data: in memory where there is room, where copying a database is fast."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")  # Linux's file system in memory; a container may have very little of it
ROOM_BYTES_MIN = 4 * 1024**3  # the largest tests fill a tenth of it


@contextmanager
def server_folder(name: str) -> Iterator[Path]:
    """Give a new folder that every user may enter, as a server does not run as root; it is removed again.

    Copying a migrated database makes 600 files: 0.02 s in memory, 0.45 s on a slow disk, for each test.
    """
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM_BYTES_MIN
    folder = Path(tempfile.mkdtemp(prefix=f"touchline-{name}-", dir=MEMORY if roomy else None))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
