"""Remove DVC's table of who reads and writes what, where a kill left it empty or half-written.

    python .ci/mend_lock.py

DVC writes .dvc/tmp/rwlock in place, at the beginning and the end of each stage. Cut off there,
every later command ends with "Unable to read RWLock-file". The table is of running processes
only: without it DVC begins a new one. `make` calls this before `dvc repro`.
"""

import json
import sys
from contextlib import suppress
from pathlib import Path

from dvc.lock import LockError, make_lock
from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK, SCHEMA
from voluptuous import Invalid

FOLDER = Path(".dvc/tmp")


def main() -> int:
    """Look at the table, while no process of DVC writes it."""
    table = FOLDER / RWLOCK_FILE
    if table.exists():
        with suppress(LockError), make_lock(str(FOLDER / RWLOCK_LOCK), tmp_dir=str(FOLDER)):
            mend(table)
    return 0


def mend(table: Path) -> None:
    """Remove the table, unless DVC can read it."""
    try:
        SCHEMA(json.loads(table.read_bytes()))
    except (ValueError, Invalid):
        table.unlink()
        print(f"removed {table}, which a kill left half-written", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
