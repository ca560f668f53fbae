"""Mend what a kill of DVC leaves half-written, and every later command stumbles over.

    python .ci/mend_dvc.py

.dvc/tmp/rwlock   who reads and writes what, written in place at the beginning and the end of each
                  stage. Cut off there, all ends with "Unable to read RWLock-file". It is of
                  running processes only: without it DVC begins a new one.
<cache>/runs      a folder per run, made and then filled. An empty one ends all with "join()
                  argument must be str, bytes, or os.PathLike object, not 'NoneType'".

`make` calls this before `dvc repro`.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dvc.lock import LockError, make_lock
from dvc.repo import Repo
from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK, SCHEMA
from voluptuous import Invalid

FOLDER = Path(".dvc/tmp")
FILLED_S = 60  # after which nobody is about to fill a folder that was made


def mend_table(table: Path) -> Iterator[Path]:
    """Remove the table of locks, unless DVC can read it."""
    try:
        SCHEMA(json.loads(table.read_bytes()))
    except (ValueError, Invalid):
        table.unlink()
        yield table


def mend_runs(runs: Path) -> Iterator[Path]:
    """Remove empty folders of runs."""
    for run in sorted(runs.glob("*/*")):
        if time.time() - run.stat().st_mtime > FILLED_S:
            with suppress(OSError):  # it is not empty
                run.rmdir()
                yield run


def main() -> int:
    """Look at the table while no process of DVC writes it, and at the runs in the cache."""
    removed: list[Path] = []
    table = FOLDER / RWLOCK_FILE
    if table.exists():
        with suppress(LockError), make_lock(str(FOLDER / RWLOCK_LOCK), tmp_dir=str(FOLDER)):
            removed += mend_table(table)
    removed += mend_runs(Path(Repo().stage_cache.cache_dir))
    for path in removed:
        print(f"removed {path}, which a kill left half-written", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
