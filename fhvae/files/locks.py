"""Wait for what another process has: locks that end with the process, however it ends."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)


@contextmanager
def held(path: Path, waiting_for: str) -> Iterator[None]:
    """Have what a lock file stands for to this process alone; wait first until it is free.

    The file is there while somebody has the lock, or was killed with it. Where the file system
    has no locks, a warning says so, and nobody waits.

    Args:
        path: of the lock file.
        waiting_for: what the log says is waited for, if another process has the lock.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)  # who had the lock may have removed it
        with path.open("a") as file:
            if not lock_or_wait(file.fileno(), waiting_for):
                log.warning("%s: no locks on this disk; let no two processes do the same", path)
            elif not _is_named(path, file.fileno()):
                continue  # who had it took the file away; somebody may have a new one
            try:
                yield
            finally:
                if not os.fstat(file.fileno()).st_size:  # else it is somebody's file
                    path.unlink(missing_ok=True)
            return


def _is_named(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def lock_or_wait(handle: int, waiting_for: str) -> bool:
    """Lock an open file or folder for this process alone.

    Args:
        handle: its descriptor; the lock goes when it is closed.
        waiting_for: what the log says is waited for, if another process has the lock.

    Returns:
        Whether it is locked: some network file systems have no locks.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.info("wait for %s", waiting_for)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        return False
    return True


def lock_if_free(handle: int) -> bool:
    """Lock an open file or folder, unless another process has it or there are no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
