"""What DVC says of a change: whether dvc.lock is current, and which params moved."""

import json
import re
import subprocess
import sys
from typing import Any

from comment_text import code, literal, table

# The interpreter's own dvc: the command need not be on PATH. -P keeps the folder of the
# repository out of its imports.
DVC = (sys.executable, "-P", "-m", "dvc")
MOST_SAID = 300  # letters of what DVC says where it cannot say what it would run


def _dvc(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DVC, *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def lock_fault() -> str | None:
    """Ask DVC whether dvc.lock is current; a sentence if not, else None.

    A stage whose data is absent counts as done when the lock agrees with its inputs. With
    the data at hand a stale stage is no error to DVC: it says what it would run.
    """
    answer = _dvc("repro", "--allow-missing", "--dry")
    text = answer.stdout + answer.stderr
    stale = re.findall(r"(?:Running stage|failed to reproduce) '([^']+)'", text)
    if not answer.returncode and not stale:
        return None
    named = ", ".join(code(name) for name in dict.fromkeys(stale))
    found = f"{named} would run" if stale else f"DVC says: {literal(text, MOST_SAID)}"
    return (
        f"`dvc.lock` must belong to the code and params of the change, but {found}: type "
        "`dvc repro` and commit `dvc.lock`, `metrics/` and `plots/`"
    )


def params_part(base: str) -> str:
    """Give DVC's table of changed params against `base`, or "no change"."""
    answer = _dvc("params", "diff", "--json", base)
    if answer.returncode:
        return f"DVC cannot compare them: {literal(answer.stderr, MOST_SAID)}"
    files = json.loads(answer.stdout or "{}")
    return table(
        ["param", "before", "after"],
        [
            [literal(name), *(_param(sides.get(side)) for side in ("old", "new"))]
            for _, params in sorted(files.items())
            for name, sides in sorted(params.items())
        ],
    )


def _param(value: Any) -> str:
    return "-" if value is None else literal(str(value))
