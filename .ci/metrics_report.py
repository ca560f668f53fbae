"""Write what a change does to the results, as Markdown on standard output.

    python .ci/metrics_report.py BASE [--pictures URL HEAD]

Needs no data and no GPU: dvc.lock, metrics/, plots/ and params.yaml are in git. At most 20 KB,
whatever the change is: a comment of a pull request takes 64. The first line is a hidden mark, by
which the one comment of a pull request is found again.

Verdicts: summaries.py. Limits that fail a change: metrics/limits.yaml, limits.py. Pictures of both
commits stand side by side where --pictures says how they are reached without a login: the URL of
raw files (https://raw.githubusercontent.com/OWNER/NAME) and the commit of the change there.

Exit code 0 if dvc.lock belongs to the code and params of the working tree and no limit is broken,
1 if not, each fault a sentence on standard error; 2 if BASE is not a commit or the limits cannot
be read.
"""

import re
import subprocess
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compare_metrics import flatten
from limits import LIMITS, Limit, LimitsError, broken, moved_limits, parse_limits
from summaries import (
    BETTER,
    GONE,
    INTERVALS,
    LEVEL,
    NEW,
    NO_VERDICT,
    SUMMARY,
    WORSE,
    Side,
    Value,
    is_number,
    parse,
    read_base,
    read_here,
    read_values,
)

# The interpreter's own dvc: the command need not be on PATH. -P keeps the folder of the
# repository out of its imports.
DVC = (sys.executable, "-P", "-m", "dvc")
MARK = "<!-- fhvae: what the change does to the results -->"
TABLE_HEAD_LINES = 2  # without a change DVC prints nothing, or a table of its head alone
MOST_BYTES = 20_000
MOST_ROWS = 40  # of a table
MOST_LETTERS = 80  # of a cell
MOST_SAID = 300  # letters of what DVC says where it cannot say what it would run
MOST_FAULTS = 20  # sentences; the limits of every value broken are two dozen
PICTURE_PIXELS = 380  # two beside each other in a comment
CUT = "\n\n... cut at 20 KB: `dvc metrics diff` and `dvc params diff` say all.\n"
ORDER = (WORSE, GONE, NO_VERDICT, BETTER, NEW, LEVEL)  # what a reader must see comes first
ARROW = {"lower": " ↓", "higher": " ↑"}


@dataclass(frozen=True)
class Raw:
    """Where a browser finds the pictures of both commits.

    Attributes:
        url: what stands before a commit and a path.
        head: the commit of the change; a merge made for CI cannot be reached later.
    """

    url: str
    head: str

    def picture(self, commit: str, path: str) -> str:
        """Write the picture of a commit as a link to itself."""
        link = f"{self.url}/{commit}/{path}"
        return f'<a href="{link}"><img src="{link}" width="{PICTURE_PIXELS}"></a>'


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def lock_fault() -> str | None:
    """Ask DVC whether dvc.lock is current; a sentence if not, else None.

    A stage whose data is absent counts as done when the lock agrees with its inputs. With
    the data at hand a stale stage is no error to DVC: it says what it would run.
    """
    answer = _run(*DVC, "repro", "--allow-missing", "--dry")
    text = answer.stdout + answer.stderr
    stale = re.findall(r"(?:Running stage|failed to reproduce) '([^']+)'", text)
    if not answer.returncode and not stale:
        return None
    named = ", ".join(f"`{name}`" for name in dict.fromkeys(stale))
    found = f"{named} would run" if stale else f"DVC says: {_cell(text, MOST_SAID)}"
    return (
        f"`dvc.lock` must belong to the code and params of the change, but {found}: type "
        "`dvc repro` and commit `dvc.lock`, `metrics/` and `plots/`"
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a Markdown table of at most `MOST_ROWS` rows; "no change" without any."""
    every = [[_cell(one) for one in row] for row in rows]
    if not every:
        return "No change."
    lines = [f"| {' | '.join(row)} |" for row in ([*header], ["---"] * len(header), *every)]
    shown = "\n".join(lines[: TABLE_HEAD_LINES + MOST_ROWS])
    more = len(every) - MOST_ROWS
    return f"{shown}\n\n... and {more} more" if more > 0 else shown


def _cell(text: str, most: int = MOST_LETTERS) -> str:
    plain = " ".join(text.split()).replace("|", "/")
    return plain if len(plain) <= most else f"{plain[: most - 3]}..."


def folded(title: str, text: str) -> str:
    """Hide a text behind its title; one click opens it."""
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def values_part(values: Sequence[Value]) -> str:
    """Lay out the values that moved, the worst first, and the others folded."""
    moved = sorted(
        (value for value in values if value.moved),
        key=lambda value: (ORDER.index(value.verdict), value.name),
    )
    header = ["value", "before", "95 %", "after", "95 %", "verdict"]
    parts = [table(header, map(_row, moved))]
    same = [value for value in values if not value.moved]
    if same:
        rows = ([_name(value), *_side(value.head)] for value in same)
        title = f"The same: {len(same)} of {len(values)} values"
        parts.append(folded(title, table(["value", "before and after", "95 %"], rows)))
    return "\n\n".join(parts)


def _row(value: Value) -> list[str]:
    verdict = value.verdict
    if verdict == GONE:
        verdict = f"**{GONE}**: {value.why_gone}"
    elif verdict == NO_VERDICT:
        reasons = [side.no_interval for side in (value.head, value.base) if side]
        verdict = ": ".join([NO_VERDICT, *filter(None, reasons)][:2])
    elif verdict in (WORSE, BETTER):
        verdict = f"**{verdict}**"
    return [_name(value), *_side(value.base), *_side(value.head), verdict]


def _name(value: Value) -> str:
    return f"{value.name}{ARROW.get(value.better or '', '')}"


def _side(side: Side | None) -> tuple[str, str]:
    if side is None:
        return "-", "-"
    value = f"{side.value:.7g}" if is_number(side.value) else str(side.value)
    return value, f"{side.low:g} to {side.high:g}" if side.has_interval else "-"


def files_part(base: str) -> str | None:
    """Count what moved in the files of all values; None where nothing did."""
    rows = list(_moved_files(base))
    header = ["file", "values", "moved", "new", "gone"]
    return folded(f"Files of all values: {len(rows)} moved", table(header, rows)) if rows else None


def _moved_files(base: str) -> Iterator[list[str]]:
    listed = _run("git", "ls-tree", "--name-only", base, "metrics/").stdout.split()
    here = [path.as_posix() for path in Path("metrics").glob("*.json")]
    for path in sorted({*listed, *here} - {SUMMARY, INTERVALS}):
        if path.endswith(".json"):
            before, after = (_all_values(text) for text in (read_base(base, path), read_here(path)))
            moved = sum(before[key] != after[key] for key in before.keys() & after.keys())
            counts = [moved, len(after.keys() - before.keys()), len(before.keys() - after.keys())]
            if any(counts):
                yield [path, str(len(before | after)), *map(str, counts)]


def _all_values(text: str | None) -> dict[str, Any]:
    return dict(flatten(parse(text), ""))


def params_part(base: str) -> str:
    """Give DVC's table of changed params against `base`, or "no change"."""
    answer = _run(*DVC, "params", "diff", "--md", base)
    if answer.returncode:
        raise RuntimeError(f"dvc params diff failed: {answer.stderr.strip()}")
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")][1:]
        for line in answer.stdout.strip().splitlines()
    ]
    return table(["param", "before", "after"], rows[TABLE_HEAD_LINES:])


def limits_part(base: str, limits: Mapping[str, Limit]) -> str | None:
    """Show the limits that the change itself moves; None where it moves none."""
    rows = moved_limits(parse_limits(read_base(base, LIMITS)), limits)
    title = f"The change moves {len(rows)} limits"
    return folded(title, table(["limit of", "before", "after"], rows)) if rows else None


def plots_part(base: str, raw: Raw | None) -> str | None:
    """Show the pictures that changed, before and after; None where none did."""
    moved = _run("git", "diff", "--name-status", "--no-renames", base, "--", "plots/*.png").stdout
    if not moved:
        return None
    listed = [line.split("\t") for line in moved.splitlines()]
    if raw is None:
        names = ", ".join(f"`{path}`" for _, path in listed)
        return (
            f"{names}. *Files changed* shows both versions; a comment cannot show what lies in a "
            "private repository."
        )
    pairs = []
    for kind, path in listed:
        before = "new" if kind == "A" else raw.picture(_commit(base), path)
        after = GONE if kind == "D" else raw.picture(raw.head, path)
        pairs.append(f"| `{path}` before | after |\n| --- | --- |\n| {before} | {after} |")
    return folded(f"{len(listed)} pictures changed, side by side", "\n\n".join(pairs))


def _commit(name: str) -> str:
    return _run("git", "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").stdout.strip()


def summing_up(values: Sequence[Value], faults: Sequence[str]) -> str:
    """Say how many values got which verdict, and what must be mended."""
    counts = Counter(value.verdict for value in values)
    told = ", ".join(f"{counts[one]} {one}" for one in ORDER if counts[one])
    lines = [f"**{told or 'No values'}.**"]
    if not faults:
        return f"{lines[0]} `dvc.lock` is current, no limit is broken."
    shown = [f"- {fault}." for fault in faults[:MOST_FAULTS]]
    if len(faults) > MOST_FAULTS:
        shown.append(f"- ... and {len(faults) - MOST_FAULTS} more")
    return "\n".join([*lines, "", "To be mended:", "", *shown])


def capped(text: str) -> str:
    """Cut a text at a line end so that it has at most `MOST_BYTES` bytes."""
    if len(text.encode()) <= MOST_BYTES:
        return text
    kept = text.encode()[: MOST_BYTES - len(CUT.encode())].decode(errors="ignore")
    return kept.rpartition("\n")[0] + CUT


def report(base: str, raw: Raw | None) -> tuple[str, list[str]]:
    """Write the report; beside it what must be mended, a sentence each.

    Raises:
        LimitsError: metrics/limits.yaml cannot be read.
    """
    values = read_values(base)
    limits = parse_limits(read_here(LIMITS))
    faults = [*filter(None, [lock_fault()]), *broken(limits, values)]
    plots = plots_part(base, raw)
    parts = [
        f"## Results against {base} ({_commit(base)[:7]})",
        summing_up(values, faults),
        limits_part(base, limits),
        f"### Values\n\n{values_part(values)}",
        files_part(base),
        f"### Params\n\n{params_part(base)}",
        f"### Pictures\n\n{plots}" if plots else None,
    ]
    text = "\n\n".join(part for part in parts if part)
    return capped(f"{MARK}\n{text}\n"), faults


def main() -> int:
    """Print the report and return the exit code."""
    about = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    about.add_argument("base", metavar="BASE", help="the commit or branch to compare with")
    about.add_argument("--pictures", nargs=2, metavar=("URL", "HEAD"), help="see above")
    options = about.parse_args()
    if not _commit(options.base):
        name = options.base
        print(f"error: {name} must name a commit of this clone; fetch it first", file=sys.stderr)
        return 2
    try:
        raw = Raw(*options.pictures) if options.pictures else None
        text, faults = report(options.base, raw)
    except LimitsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(text, end="")
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
