"""A record of every run of a stage: when, on what, of which commit, how long, how it ended.

    runs/<stage>.json                    of the last run in this tree
    runs/<experiment>/<stage>.json       of `dvc exp run`, --temp and --queue too

Times, machines and versions change from run to run, so they are no metric and no output of DVC:
git ignores `runs/`. The folder is that of the repository, also where DVC runs a stage in a
copy that it deletes; with `FHVAE_CKPT_DIR` it is there, beside the checkpoints. A record is
written when the stage begins (`exit` is null until it ends: null for good says killed) and again
when it ends. What goes wrong with it ends no stage.
"""

import hashlib
import logging
import os
import platform
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fhvae.environment import (
    MEGABYTE,
    REQUIREMENTS,
    accelerator,
    commit_of,
    installed_versions,
    machine,
    pins,
    settings_here,
)
from fhvae.files.atomic import remove_leftovers, write_json

log = logging.getLogger(__name__)

EXPERIMENT, ROOT = "DVC_EXP_NAME", "DVC_ROOT"  # set by DVC for what it runs
PARAMS = "params.yaml"
RUSAGE_BYTES = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss


@contextmanager
def recorded(stage: str) -> Iterator[None]:
    """Keep a record of what runs inside."""
    if os.environ.get("RANK", "0") != "0":  # of torchrun: the first process writes
        yield
        return
    place, record = place_of(stage), dict[str, Any]()
    _quietly(lambda: remove_leftovers(place.parent, place.name))
    _quietly(lambda: record.update(beginning(stage)))
    begun = Meter()  # git, just asked, is no part of the stage
    _quietly(lambda: write_json(place, record))
    code: int | None = 1
    try:
        yield
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        raise
    finally:
        _quietly(lambda: record.update(exit=code, **begun.read()))
        _quietly(lambda: write_json(place, record))


def place_of(stage: str) -> Path:
    """Say where the record of a stage lies: outlives the folder that DVC runs an experiment in."""
    shared, experiment = os.environ.get("FHVAE_CKPT_DIR"), os.environ.get(EXPERIMENT)
    folder = Path(shared or os.environ.get(ROOT) or ".") / "runs"
    if experiment or shared:
        folder /= _as_name(experiment or params_digest() or "unknown")
    return folder / f"{_as_name(stage)}.json"


def beginning(stage: str) -> dict[str, Any]:
    """Describe what is known before a stage has done anything."""
    commit = commit_of(Path())
    return {
        "stage": stage,
        "experiment": os.environ.get(EXPERIMENT),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "exit": None,
        "commit": commit and commit.hash,
        "changed": commit and commit.changed,
        "params_sha256": params_digest(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "machine": machine(),
        "versions": installed_versions(pins(Path(REQUIREMENTS))),
        "settings": settings_here(),
    }


class Meter:
    """Time and memory from now on."""

    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), _cpu_seconds()
        self.child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * RUSAGE_BYTES

    def read(self) -> dict[str, Any]:
        """Give wall and CPU seconds since, and the most memory of a process so far.

        Worker processes count when they have ended, or are still there to be asked (Linux). The
        system takes one that has ended to have held what this process held when it began it.
        """
        torch = sys.modules.get("torch")
        living = [_living(pid) for pid in _children(os.getpid())]
        own, ended = (
            resource.getrusage(who).ru_maxrss * RUSAGE_BYTES
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        seen = ended if ended > self.child else 0  # else of a child of before
        child = max([seen, *(memory for _, memory in living)])
        cpu = _cpu_seconds() - self.cpu + sum(seconds for seconds, _ in living)
        return {
            "wall_s": round(time.perf_counter() - self.wall, 2),
            "cpu_s": round(cpu, 2),
            "peak_memory_mb": {"process": own // MEGABYTE, "largest_child": child // MEGABYTE},
            "accelerator": accelerator(),
            "threads": torch.get_num_threads() if torch else None,
        }


def params_digest() -> str | None:
    """Hash params.yaml, of which every stage reads a part; 10 hexadecimal digits."""
    try:
        return hashlib.sha256(Path(PARAMS).read_bytes()).hexdigest()[:10]
    except OSError:
        return None


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _children(pid: int) -> list[int]:
    """List the living processes below one; none where the system has no /proc."""
    found = [pid]
    for parent in found:  # grows while it is walked over
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, _text(task).split())
    return found[1:]


def _living(pid: int) -> tuple[float, int]:
    """Ask for the CPU seconds of a process and for the most memory that it held, in bytes."""
    fields = _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    ticks = sum(map(int, fields[11:13]))  # user and system, after pid and name
    held = re.search(r"VmHWM:\s*(\d+)", _text(Path(f"/proc/{pid}/status")))
    return ticks / os.sysconf("SC_CLK_TCK"), int(held[1]) * 1024 if held else 0


def _text(path: Path) -> str:
    """Read a file of /proc; a process that has just ended has none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _as_name(text: str) -> str:
    return re.sub(r"[^\w@.-]+", "_", text)


def _quietly(do: Callable[[], object]) -> None:
    """Do what no stage may fail for."""
    try:
        do()
    except Exception as error:  # a full disk, a system that tells nothing: the stage goes on
        log.debug("no record of this run: %s", error)
