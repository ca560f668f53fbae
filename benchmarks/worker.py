"""A process that measures one thing after another, and that may fail or die of it.

After a CUDA error a process is of no use any more: whatever fails is noted in a sentence, and
a new process goes on with the next.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

Result = dict[str, Any]
Work = Callable[[], Result]


class Worker:
    """Runs work in a process of its own; the same one for all, as long as nothing fails."""

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: Connection | None = None

    def run(self, work: Work, seconds: float) -> Result:
        """Give what the work gives, or {"error": why not}; `work` must be picklable."""
        if self._connection is None:
            self._begin()
        assert self._connection is not None
        assert self._process is not None
        self._connection.send(work)
        if not self._connection.poll(seconds):
            self.end()
            return {"error": f"took more than {seconds:.0f} s"}
        try:
            found: Result = self._connection.recv()
        except EOFError:
            self._process.join()
            found = {"error": f"the process ended with {self._process.exitcode}"}
        if "error" in found:
            self.end()
        return found

    def end(self) -> None:
        """End the process; the next work has a new one."""
        if self._process is not None and self._process.pid is not None:
            with suppress(ProcessLookupError):  # with the processes that it started
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
            self._process.join()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None

    def _begin(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._connection, other = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(other,))
        self._process.start()
        other.close()  # so that the end of the process is the end of the pipe


def _serve(connection: Connection) -> None:
    """Do what comes, until the other end is closed."""
    os.setsid()  # a group of its own, with whatever it starts
    while True:
        try:
            work = connection.recv()
        except EOFError:
            return
        try:
            found = work()
        except Exception as error:  # whatever it is, the next work must not suffer from it
            found = {"error": sentence(error)}
        connection.send(found)


def sentence(error: Exception) -> str:
    """Say what went wrong on one line."""
    text = " ".join(str(error).split()).replace(str(Path.cwd()), ".")
    return f"{type(error).__name__}: {text}"[:200]
