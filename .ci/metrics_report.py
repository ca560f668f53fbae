"""Write what a change does to lock, metrics and params, as markdown on standard output.

    python .ci/metrics_report.py BASE

Needs no data and no GPU: dvc.lock, metrics/ and params.yaml are in git. At most 20 KB, whatever
the change is: a comment of a pull request takes 64.

The verdict on a value of metrics/summary.json: *better* or *worse* where the value before lies
outside the interval of the one after and the other way round, else *within noise*. The interval is
over test speakers; another seed moves values too (docs/results.md).

Exit code 0 if dvc.lock belongs to the code and params of the working tree, 1 if it is stale, 2 if
BASE is not a commit.
"""

import json
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

# The interpreter's own dvc: the command need not be on PATH. -P keeps the folder of the
# repository out of its imports.
DVC = (sys.executable, "-P", "-m", "dvc")
TABLE_HEAD_LINES = 2  # without a change DVC prints nothing, or a table of its head alone
SUMMARY, INTERVALS = "metrics/summary.json", "metrics/summary_intervals.json"
MOST_BYTES = 20_000
MOST_ROWS = 40  # of a table
MOST_LETTERS = 80  # of a cell
MOST_STALE = 2_000  # letters of what DVC would run
CUT = "\n\n... cut at 20 KB: `dvc metrics diff` and `dvc params diff` say all.\n"
SAME, BETTER, WORSE, NOISE, NO_VERDICT = "same", "better", "worse", "within noise", "no verdict"


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


def read_base(base: str, path: str) -> dict[str, Any]:
    """Read a JSON file as it stands in the commit `base`; empty if it is not there."""
    answer = _run("git", "show", f"{base}:{path}")
    return dict(json.loads(answer.stdout)) if answer.returncode == 0 else {}


def read_here(path: str) -> dict[str, Any]:
    """Read a JSON file of the working tree; empty if it is not there."""
    here = Path(path)
    return dict(json.loads(here.read_text(encoding="utf-8"))) if here.is_file() else {}


def verdict(before: float, after: float, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Say whether a value became better, by more than the intervals allow for.

    Args:
        before, after: the value.
        old, new: what stands beside it: `better`, and `low` and `high` or `no_interval`.
    """
    if before == after:
        return SAME
    if "no_interval" in {**old, **new} or "better" not in new:
        return NO_VERDICT
    both = "low" in old and "low" in new
    if both and (new["low"] <= before <= new["high"] or old["low"] <= after <= old["high"]):
        return NOISE
    return BETTER if (after > before) == (new["better"] == "higher") else WORSE


def summary_rows(
    values: tuple[Mapping[str, Any], Mapping[str, Any]],
    beside: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> Iterator[list[str]]:
    """Yield a row for each value that changed, came or went.

    Args:
        values: the summary before and after.
        beside: what stands beside its values, before and after.
    """
    before, after = values
    for name in sorted({**before, **after}):
        old, new = (one.get("cited", {}).get(name, {}) for one in beside)
        if name not in after:
            reason = beside[1].get("absent", {}).get(name, "no reason is given")
            yield [name, _text(before[name]), "-", "-", f"vanished: {reason}"]
        elif name not in before:
            yield [name, "-", _text(after[name]), _interval(new), "new"]
        elif before[name] != after[name]:
            found = verdict(before[name], after[name], old, new)
            if found == NO_VERDICT:
                reasons = [one["no_interval"] for one in (new, old) if "no_interval" in one]
                found = ": ".join([NO_VERDICT, *reasons[:1]])
            yield [name, _text(before[name]), _text(after[name]), _interval(new), found]


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _interval(beside: Mapping[str, Any]) -> str:
    return f"{beside['low']:g} to {beside['high']:g}" if "low" in beside else "-"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a Markdown table of at most `MOST_ROWS` rows; "no change" without any."""
    every = [[_cell(one) for one in row] for row in rows]
    if not every:
        return "no change"
    lines = [f"| {' | '.join(row)} |" for row in ([*header], ["---"] * len(header), *every)]
    shown = "\n".join(lines[: TABLE_HEAD_LINES + MOST_ROWS])
    more = len(every) - MOST_ROWS
    return f"{shown}\n\n... and {more} more" if more > 0 else shown


def _cell(text: str) -> str:
    plain = " ".join(text.split()).replace("|", "/")
    return plain if len(plain) <= MOST_LETTERS else f"{plain[: MOST_LETTERS - 3]}..."


def metrics_part(base: str) -> str:
    """Write what the summary gained and lost, and in which files other values moved."""
    values = read_base(base, SUMMARY), read_here(SUMMARY)
    beside = read_base(base, INTERVALS), read_here(INTERVALS)
    rows = list(summary_rows(values, beside))
    header = ["value", "before", "after", "95 % interval", "verdict"]
    shared = [name for name in values[0] if name in values[1]]
    same = sum(values[0][name] == values[1][name] for name in shared)
    parts = [table(header, rows)]
    if rows and same:
        parts.append(f"The same: {same} of {len({**values[0], **values[1]})} values.")
    moved = list(moved_files(base))
    if moved:
        parts.append(table(["file", "values", "moved", "new", "vanished"], moved))
    return "\n\n".join(parts)


def moved_files(base: str) -> Iterator[list[str]]:
    """Yield the counts of each file of all values in which one changed."""
    listed = _run("git", "ls-tree", "--name-only", base, "metrics/").stdout.split()
    here = [path.as_posix() for path in Path("metrics").glob("*.json")]
    for path in sorted({*listed, *here} - {SUMMARY, INTERVALS}):
        if path.endswith(".json"):
            before, after = (dict(flatten(one)) for one in (read_base(base, path), read_here(path)))
            moved = sum(before[key] != after[key] for key in before.keys() & after.keys())
            counts = [moved, len(after.keys() - before.keys()), len(before.keys() - after.keys())]
            if any(counts):
                yield [path, str(len(before | after)), *map(str, counts)]


def flatten(value: Mapping[str, Any], key: str = "") -> Iterator[tuple[str, Any]]:
    """Walk over (dotted key, value) of nested metrics."""
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from flatten(inner, f"{key}{name}.")
        else:
            yield f"{key}{name}", inner


def params_part(base: str) -> str:
    """Give DVC's table of changed params against `base`, or "no change"."""
    answer = _run(*DVC, "params", "diff", "--md", base)
    if answer.returncode:
        raise RuntimeError(f"dvc params diff failed: {answer.stderr.strip()}")
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in answer.stdout.strip().splitlines()
    ]
    return table(rows[0], rows[TABLE_HEAD_LINES:]) if rows else "no change"


def lock_part(stale: str | None) -> str:
    """Say whether dvc.lock is current, and else what DVC would run."""
    if stale is None:
        return "`dvc.lock` belongs to this code and these params."
    shown = stale if len(stale) <= MOST_STALE else f"{stale[:MOST_STALE]}\n..."
    return (
        "`dvc.lock` is stale: run `dvc repro` and commit `dvc.lock`, `metrics/` and "
        f"`plots/`.\n\n```text\n{shown}\n```"
    )


def capped(text: str) -> str:
    """Cut a text at a line end so that it has at most `MOST_BYTES` bytes."""
    if len(text.encode()) <= MOST_BYTES:
        return text
    kept = text.encode()[: MOST_BYTES - len(CUT.encode())].decode(errors="ignore")
    return kept.rpartition("\n")[0] + CUT


def report(base: str) -> tuple[str, bool]:
    """Write the report; the flag says whether dvc.lock is current."""
    stale = stale_stages()
    parts = [
        f"## Lock\n\n{lock_part(stale)}",
        f"## Metrics against {base}\n\n{metrics_part(base)}",
        f"## Params against {base}\n\n{params_part(base)}",
    ]
    return capped("\n\n".join(parts) + "\n"), stale is None


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
