"""Mend what a kill of DVC, or a full disk, leaves half-written in its folders.

    python .ci/mend_dvc.py
    python .ci/mend_dvc.py --older-than 0       # when nothing else runs

.dvc/tmp/rwlock   who reads and writes what, written in place at the beginning and the end of each
                  stage. Cut off there, all ends with "Unable to read RWLock-file". It is of
                  running processes only: without it DVC begins a new one.
<cache>/runs      a folder per run, made and then filled. An empty one ends all with "join()
                  argument must be str, bytes, or os.PathLike object, not 'NoneType'".
<cache>/**/.*.tmp copies that were not ended. Nobody stumbles over them, nor ever removes them.
<out>/../.*.tmp   a trial whether a link serves, beside an output. The same holds of it.

`make` calls this before `dvc repro`. What another process may be about to fill is let be: what
changed a minute ago or less.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from dvc.exceptions import DvcException
from dvc.lock import LockError, make_lock
from dvc.repo import Repo
from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK, SCHEMA
from voluptuous import Invalid

FOLDER = Path(".dvc/tmp")
TRIAL = re.compile(r"\.[0-9A-Za-z]{22}\.tmp")  # as DVC draws such names
FILLED_S = 60  # after which nobody is about to fill what was made


def mend_table(table: Path) -> Iterator[Path]:
    """Remove the table of locks, unless DVC can read it."""
    try:
        SCHEMA(json.loads(table.read_bytes()))
    except (ValueError, Invalid):
        table.unlink()
        yield table


def mend_runs(runs: Path, before: float) -> Iterator[Path]:
    """Remove folders of runs that were empty before a time."""
    for run in sorted(runs.glob("*/*")):
        if run.stat().st_mtime < before:
            with suppress(OSError):  # it is not empty
                run.rmdir()
                yield run


def mend_copies(cache: Path, before: float) -> Iterator[Path]:
    """Remove half-written files that have not changed since."""
    for copy in sorted(cache.rglob(".*.tmp")):
        with suppress(FileNotFoundError):  # its process has just ended it
            if copy.stat().st_ctime < before:  # a name given counts, too
                copy.unlink()
                yield copy


def mend_trials(outs: Iterable[Path], before: float) -> Iterator[Path]:
    """Remove DVC's trials of links beside outputs that have not changed since."""
    for folder in sorted({out.parent for out in outs}):
        for trial in sorted(folder.glob(".*.tmp")):
            with suppress(FileNotFoundError):
                if TRIAL.fullmatch(trial.name) and trial.lstat().st_mtime < before:
                    trial.unlink()
                    yield trial


def main() -> int:
    """Look at the table while no process of DVC writes it, and at the cache."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--older-than", type=float, default=FILLED_S, metavar="SECONDS")
    before = time.time() - parser.parse_args().older_than
    removed: list[Path] = []
    table = FOLDER / RWLOCK_FILE
    if table.exists():
        with suppress(LockError), make_lock(str(FOLDER / RWLOCK_LOCK), tmp_dir=str(FOLDER)):
            removed += mend_table(table)
    with suppress(DvcException):  # of a folder without git, DVC itself tells what it needs
        repo = Repo()
        runs = Path(repo.stage_cache.cache_dir)
        removed += [*mend_runs(runs, before), *mend_copies(runs.parent, before)]
        removed += mend_trials((Path(out.fs_path) for out in repo.index.outs), before)
    for path in removed:
        print(f"removed {path}, which a kill left half-written", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
