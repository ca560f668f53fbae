"""Loaded by each Python process under torture (PYTHONPATH): strikes at its n-th change of the tree.

A change is what makes, renames or deletes a file or folder, or opens one for writing, of Python's
own functions (PEP 578); what C libraries write lies between two of them. `TORTURE` says as JSON:

who     which processes, by what follows `-m` or by the name of the program
at      strike at this change, counted from 1; 0: never
do      signal (signal, whom: stage, dvc, group); fill: the disk is full from now on;
        limit (resource, amount): no more of it than so much beyond what is held;
        leave (seconds): kill dvc, then sleep until the file `go` is beside the log, or so long:
        the stage outlives what was started after it;
        jump (seconds): the clock, as Python's functions tell it; those of files go on
log     a folder: a file named after the process says where it struck; with `at` 0 all changes
"""

import atexit
import errno
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

OPENS, MAKES = "open", ("os.mkdir", "os.link", "os.symlink")
CHANGES = {OPENS, *MAKES, "os.rename", "os.remove", "os.rmdir", "os.truncate"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
GO = "go"
HANDLES = Path("/proc/self/fd")
DIR_FD = {"os.mkdir": 2, "os.rename": 2, "os.remove": 1, "os.rmdir": 1, "os.link": 2}


class Trap:
    """Counts the changes of this process and strikes at one of them."""

    def __init__(self, name, order):
        self.order, self.root = order, f"{Path.cwd()}/"
        self.log = Path(order["log"]) / name
        self.count, self.full, self.seen, self.busy = 0, False, [], False

    def __call__(self, event, arguments):
        if event not in CHANGES or self.busy:
            return
        if event == OPENS and not (isinstance(arguments[2], int) and arguments[2] & WRITING):
            return
        place = self.place(event, arguments)
        if not place.startswith(self.root) or "__pycache__" in place:
            return
        self.count += 1
        place = f"{event} {place.removeprefix(self.root)}"
        self.seen.append(place)
        if self.count == self.order["at"]:
            self.busy = True  # what it does itself is no change
            self.note([f"{self.count} {place}"])
            getattr(self, self.order["do"])()
            self.busy = False
        if self.full and event in (OPENS, *MAKES):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), arguments[0])

    @staticmethod
    def place(event, arguments):
        """Name what is changed, beyond links and handles of folders."""
        path = arguments[0]
        if isinstance(path, int):
            return str(HANDLES.joinpath(str(path)).readlink())
        handle = arguments[DIR_FD[event]] if event in DIR_FD else -1
        folder = HANDLES.joinpath(str(handle)).readlink() if handle >= 0 else Path.cwd()
        return os.path.normpath(folder / os.fsdecode(path))

    def note(self, lines):
        with self.log.open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    def tell(self):
        self.busy = True
        self.note(self.seen)

    def signal(self):
        number = getattr(signal, f"SIG{self.order['signal']}")
        # the harness starts dvc as the leader of a session of its own
        whom = {"stage": os.getpid(), "dvc": os.getsid(0), "group": -os.getsid(0)}
        os.kill(whom[self.order["whom"]], number)

    def limit(self):
        """Take away what is left of a resource but an amount; of files, of their size."""
        pages = Path("/proc/self/statm").read_text().split()[0]
        held = {
            "NOFILE": max(int(path.name) for path in HANDLES.iterdir()) + 1,
            "AS": int(pages) * resource.getpagesize(),
            "FSIZE": 0,
        }
        name = self.order["resource"]
        which = getattr(resource, f"RLIMIT_{name}")
        most = resource.getrlimit(which)[1]
        resource.setrlimit(which, (held[name] + self.order["amount"], most))

    def fill(self):
        self.full = True

    def jump(self):
        """Move what this process takes for the time of day."""
        seconds, now, now_ns = self.order["seconds"], time.time, time.time_ns
        time.time = lambda: now() + seconds
        time.time_ns = lambda: now_ns() + int(seconds * 1e9)

    def leave(self):
        os.kill(os.getsid(0), signal.SIGKILL)
        over = time.monotonic() + self.order["seconds"]
        while time.monotonic() < over and not self.log.with_name(GO).exists():
            time.sleep(0.05)


def spring():
    """Set the trap where this is the process that it is for."""
    order = json.loads(os.environ.get("TORTURE") or "null")
    program, *rest = [*sys.orig_argv[1:3], ""]
    name = rest[0] if program == "-m" else Path(program).name
    if not order or name not in order["who"]:
        return
    trap = Trap(name, order)
    if not order["at"]:
        atexit.register(trap.tell)
    sys.addaudithook(trap)


spring()
