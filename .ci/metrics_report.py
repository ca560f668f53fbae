"""Write what a change does to lock, metrics and params, as markdown on standard output.

    python .ci/metrics_report.py BASE

Needs no data and no GPU: dvc.lock, metrics/ and params.yaml are in git. Exit code 0 if
dvc.lock belongs to the code and params of the working tree, 1 if it is stale, 2 if BASE
is not a commit.
"""

import subprocess
import sys
from argparse import ArgumentParser

# The interpreter's own dvc: the command need not be on PATH. -P keeps the folder of the
# repository out of its imports.
DVC = (sys.executable, "-P", "-m", "dvc")
TABLE_HEAD_LINES = 2  # without a change DVC prints nothing, or a table of its head alone


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def stale_stages() -> str | None:
    """Ask DVC whether dvc.lock is current; its complaint if not, else None.

    A stage whose data is absent counts as done when the lock agrees with its inputs. With
    the data at hand a stale stage is no error to DVC: it says what it would run.
    """
    answer = _run(*DVC, "repro", "--allow-missing", "--dry")
    text = (answer.stdout + answer.stderr).strip()
    return text if answer.returncode or "Running stage" in text else None


def difference(kind: str, base: str) -> str:
    """Give DVC's table of changed metrics or params against `base`, or "no change"."""
    answer = _run(*DVC, kind, "diff", "--md", base)
    if answer.returncode:
        raise RuntimeError(f"dvc {kind} diff failed: {answer.stderr.strip()}")
    table = answer.stdout.strip()
    return table if len(table.splitlines()) > TABLE_HEAD_LINES else "no change"


def report(base: str) -> tuple[str, bool]:
    """Write the report; the flag says whether dvc.lock is current."""
    stale = stale_stages()
    lock = (
        "`dvc.lock` belongs to this code and these params."
        if stale is None
        else "`dvc.lock` is stale: run `dvc repro` and commit `dvc.lock`, `metrics/` and "
        f"`plots/`.\n\n```text\n{stale}\n```"
    )
    parts = [
        f"## Lock\n\n{lock}",
        f"## Metrics against {base}\n\n{difference('metrics', base)}",
        f"## Params against {base}\n\n{difference('params', base)}",
    ]
    return "\n\n".join(parts) + "\n", stale is None


def main() -> int:
    """Print the report and return the exit code."""
    parser = ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("base", metavar="BASE", help="the commit or branch to compare with")
    base = parser.parse_args().base
    if _run("git", "rev-parse", "--verify", "--quiet", f"{base}^{{commit}}").returncode:
        print(f"error: {base} must name a commit of this clone; fetch it first", file=sys.stderr)
        return 2
    text, current = report(base)
    print(text, end="")
    return 0 if current else 1


if __name__ == "__main__":
    sys.exit(main())
