"""Run a command and measure it with all of its descendants: CPU time, wall time, memory.

Memory is sampled from /proc (Linux). RSS, summed over the tree, counts a page once for each
process that maps it, file pages of memory maps included although the system can drop them at
any time; PSS shares a page out among the processes that map it. Both are given.
"""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PERIOD_S = 0.05
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """What a command and its descendants took.

    Attributes:
        cpu_s: user and system time of all that were waited for.
        wall_s: from start to end.
        peak_rss_bytes, peak_pss_bytes: largest sum over the tree that was seen.
        processes: most that were alive at once.
    """

    cpu_s: float
    wall_s: float
    peak_rss_bytes: int
    peak_pss_bytes: int
    processes: int


def measure(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Usage:
    """Run a command in `folder` with variables added to the environment.

    Raises:
        RuntimeError: it failed; the message is the end of what it wrote to stderr.
    """
    begun = time.perf_counter()
    with (folder / "stderr.txt").open("w+") as errors:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stderr=errors
        )
        rss = pss = processes = 0
        while True:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            if ended:
                break
            tree = descendants(process.pid)
            rss = max(rss, sum(map(_rss_bytes, tree)))
            pss = max(pss, sum(map(_pss_bytes, tree)))
            processes = max(processes, len(tree))
            time.sleep(PERIOD_S)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed: {errors.read()[-2000:]}")
    wall = time.perf_counter() - begun
    return Usage(usage.ru_utime + usage.ru_stime, wall, rss, pss, processes)


def descendants(pid: int) -> list[int]:
    """List a process and all below it."""
    found = [pid]
    for parent in found:  # grows while it is walked over
        for tasks in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, _text(tasks).split())
    return found


def _rss_bytes(pid: int) -> int:
    cells = _text(Path(f"/proc/{pid}/statm")).split()
    return int(cells[1]) * PAGE_BYTES if cells else 0


def _pss_bytes(pid: int) -> int:
    for line in _text(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def status_bytes(key: str) -> int:
    """Read a size of this process from /proc: VmRSS, what it holds; VmHWM, the most it held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:")) * 1024


def _text(path: Path) -> str:
    """Read a file of /proc; a process that has just ended has none."""
    try:
        return path.read_text()
    except OSError:
        return ""
