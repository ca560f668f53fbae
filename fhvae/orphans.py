"""End with the process that this one works for: a stage with DVC, a worker with its stage.

`kill` of DVC ends DVC alone. Its stage would go on, and write its outputs while those of the next
`dvc repro` are written. A thread waits for the end of the other process, of which the system tells
it at once. (Linux's own PR_SET_PDEATHSIG looks no further than the parent, which may be a shell,
and takes the end of the *thread* that started a process for that of its parent.)
"""

import logging
import os
import select
import signal
import time
from functools import cache
from pathlib import Path
from threading import Thread, main_thread

log = logging.getLogger(__name__)

DVC_STAGE = "DVC_STAGE"  # set by DVC for what it runs
GRACE_SECONDS = 10  # to remove what is half-written and to save a step; killed then
POLL_SECONDS = 1  # between two looks, where the system does not tell


def end_with_dvc() -> None:
    """End what DVC runs with DVC; what was started by hand outlives its terminal (nohup)."""
    if DVC_STAGE in os.environ:
        end_with(starter_of(DVC_STAGE))


@cache
def end_with(other: int, at_once: bool = False) -> None:
    """End this process when another one is gone: as SIGTERM does, or killed, if that is too slow.

    Args:
        other: its process id, on this machine.
        at_once: kill, as there is nothing to put in order.
    """
    Thread(target=_wait_and_end, args=(other, at_once), daemon=True).start()


def starter_of(variable: str) -> int:
    """Find the process that gave a variable to this one: the nearest above with another value.

    A shell in between has inherited it and does not count. Without /proc it is the parent.
    """
    value, pid = _variable(os.getpid(), variable), os.getppid()
    while pid > 1 and value is not None and _variable(pid, variable) == value:
        pid = _parent(pid)
    return pid


def _wait_and_end(other: int, at_once: bool) -> None:
    # A signal that any other thread takes leaves the main one asleep, and Python's handlers wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    _wait_for_end(other)
    if not at_once:
        log.warning("process %d, which this one worked for, is gone; ending", other)
        signal.pthread_kill(main_thread().ident or 0, signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _wait_for_end(pid: int) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:  # it is gone already
        return
    except (AttributeError, OSError):  # not Linux, or an old one
        while _lives(pid):
            time.sleep(POLL_SECONDS)
        return
    ended = select.poll()
    ended.register(handle, select.POLLIN)
    ended.poll()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _variable(pid: int, name: str) -> bytes | None:
    """Ask for a variable that a process was started with."""
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # of another user, or there is no /proc
        return None
    start = f"{name}=".encode()
    return next((one.removeprefix(start) for one in variables if one.startswith(start)), None)


def _parent(pid: int) -> int:
    """Ask for the parent of a process: 1, if it has just ended."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 1
    return int(told.rpartition(")")[2].split()[1])  # after the name: state, parent
