"""Wait for what another process has: locks that end with the process, however it ends."""

import fcntl
import logging

log = logging.getLogger(__name__)


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
