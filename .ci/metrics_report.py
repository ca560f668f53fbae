"""Write what a change does to the results, as Markdown on standard output.

    python .ci/metrics_report.py BASE [--pictures URL HEAD]

Needs no data and no GPU: dvc.lock, metrics/, plots/ and params.yaml are in git. At most 20 KB,
whatever the change is: a comment of a pull request takes 64. The first line is a hidden mark, by
which the one comment of a pull request is found again.

Verdicts: summaries.py. Limits that fail a change: metrics/limits.yaml, limits.py. Pictures of both
commits stand side by side where --pictures says how they are reached without a login: the URL of
raw files (https://raw.githubusercontent.com/OWNER/NAME) and the commit of the change there.

Exit code 0 if dvc.lock belongs to the code and params of the working tree, every result that it
names is there and no limit is broken; 1 if not, each fault a sentence on standard error; 2 if
BASE is not a commit or a file of the change cannot be read, and the report is that sentence.
"""

import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from comment_text import capped, folded, literal, table
from commit_files import (
    ReportError,
    git,
    of_base,
    or_nothing,
    parse_json,
    read_base,
    read_here,
    tracked,
)
from compare_metrics import flatten
from dvc_says import lock_fault, params_part
from limits import LIMITS, Limit, broken, moved_limits, parse_limits
from lost_files import lost_files
from pictures import Raw, plots_part
from summaries import (
    BETTER,
    GONE,
    LEVEL,
    NEW,
    NO_VERDICT,
    SUMMARY,
    WORSE,
    Side,
    Value,
    is_finite,
    outside_own,
    read_values,
)

MARK = "<!-- fhvae: what the change does to the results -->"
MOST_FAULTS = 20  # sentences; the limits of every value broken are two dozen
ORDER = (WORSE, GONE, NO_VERDICT, BETTER, NEW, LEVEL)  # what a reader must see comes first
ARROW = {"lower": " ↓", "higher": " ↑"}


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
        verdict = f"**{GONE}**: {literal(value.why_gone)}"
    elif verdict == NO_VERDICT:
        verdict = f"{NO_VERDICT}: {literal(value.why_unjudged or '')}"
    elif verdict in (WORSE, BETTER):
        verdict = f"**{verdict}**"
    return [_name(value), *_side(value.base), *_side(value.head), verdict]


def _name(value: Value) -> str:
    return f"{literal(value.name)}{ARROW.get(value.better or '', '')}"


def _side(side: Side | None) -> tuple[str, str]:
    if side is None:
        return "-", "-"
    value = f"{side.value:.7g}" if is_finite(side.value) else literal(str(side.value))
    return value, f"{side.low:g} to {side.high:g}" if side.has_interval else "-"


def files_part(base: str) -> str | None:
    """Count what moved in the files of all values; None where nothing did.

    Raises:
        ReportError: a file of the working tree cannot be read.
    """
    rows = list(_moved_files(base))
    header = ["file", "values", "moved", "new", "gone"]
    return folded(f"Files of all values: {len(rows)} moved", table(header, rows)) if rows else None


def _moved_files(base: str) -> Iterator[list[str]]:
    here = [path.as_posix() for path in Path("metrics").rglob("*.json")]
    for path in sorted({*tracked(base, "metrics"), *here} - {SUMMARY}):
        if path.endswith(".json"):
            before, after = _all_values(_json_of_base(base, path)), _all_values(_json_here(path))
            # As text NaN is itself.
            moved = sum(repr(before[key]) != repr(after[key]) for key in before.keys() & after)
            counts = [moved, len(after.keys() - before.keys()), len(before.keys() - after.keys())]
            if any(counts):
                yield [literal(path), str(len(before | after)), *map(str, counts)]


def _json_of_base(base: str, path: str) -> dict[str, Any]:
    return or_nothing(lambda: parse_json(read_base(base, path), of_base(path)))


def _json_here(path: str) -> dict[str, Any]:
    return parse_json(read_here(path), literal(path))


def _all_values(content: Mapping[str, Any]) -> dict[str, Any]:
    return dict(flatten(content, ""))


def limits_part(
    base: str, limits: Mapping[str, Limit], notes: list[str] | None = None
) -> str | None:
    """Show the limits that the change itself moves; None where it moves none.

    Args:
        base: the commit.
        limits: those of the change.
        notes: get a sentence where those of the base cannot be read, and count as none.
    """
    old = or_nothing(lambda: parse_limits(read_base(base, LIMITS), of_base(LIMITS)), notes)
    rows = moved_limits(old, limits)
    title = f"The change moves {len(rows)} limits"
    return folded(title, table(["limit of", "before", "after"], rows)) if rows else None


def summing_up(values: Sequence[Value], faults: Sequence[str], notes: Sequence[str]) -> str:
    """Say how many values got which verdict, what must be mended, and what to know."""
    counts = Counter(value.verdict for value in values)
    told = ", ".join(f"{counts[one]} {one}" for one in ORDER if counts[one])
    current = "" if faults else " `dvc.lock` is current, no limit is broken."
    first = f"**{told or 'No values'}.**{current}"
    return "\n\n".join([first, *_listed("To be mended:", faults), *_listed("To know:", notes)])


def _listed(title: str, sentences: Sequence[str]) -> list[str]:
    if not sentences:
        return []
    shown = [f"- {sentence}." for sentence in sentences[:MOST_FAULTS]]
    if len(sentences) > MOST_FAULTS:
        shown.append(f"- ... and {len(sentences) - MOST_FAULTS} more")
    return [title, "\n".join(shown)]


def report(name: str, raw: Raw | None) -> tuple[str, list[str]]:
    """Write the report; beside it what must be mended, a sentence each.

    Args:
        name: of the commit to compare with.
        raw: where pictures are; None where nobody may load them.

    Raises:
        ReportError: there is no such commit, or a file of the change cannot be read.
    """
    base = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()
    if not base:
        shown = literal(name) or "the base, an empty name,"
        raise ReportError(f"{shown} must name a commit of this clone; fetch it first")
    notes: list[str] = []
    values = read_values(base, notes)
    limits = parse_limits(read_here(LIMITS))
    moved = limits_part(base, limits, notes)
    notes += outside_own(values)
    faults = [*filter(None, [lock_fault()]), *lost_files(base), *broken(limits, values)]
    plots = plots_part(base, raw)
    parts = [
        f"## Results against {literal(name)} ({base[:7]})",
        summing_up(values, faults, notes),
        moved,
        f"### Values\n\n{values_part(values)}",
        files_part(base),
        f"### Params\n\n{params_part(base)}",
        f"### Pictures\n\n{plots}" if plots else None,
    ]
    return "\n\n".join(part for part in parts if part), faults


def main() -> int:
    """Print the report and return the exit code."""
    about = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    about.add_argument("base", metavar="BASE", help="the commit or branch to compare with")
    about.add_argument("--pictures", nargs=2, metavar=("URL", "HEAD"), help="see above")
    options = about.parse_args()
    try:
        os.chdir(_top())
        raw = Raw(*options.pictures) if options.pictures else None
        text, faults = report(options.base, raw)
        exit_code = 1 if faults else 0
    except ReportError as error:
        text, faults, exit_code = f"**There is no report: {error}.**", [str(error)], 2
    print(capped(f"{MARK}\n{text}\n"), end="")
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return exit_code


def _top() -> str:
    """Find the top of the repository: all paths are from there."""
    top = git("rev-parse", "--show-toplevel").removesuffix("\n")
    if not top:
        here = literal(Path.cwd().as_posix())
        raise ReportError(f"the report must be made in a clone of the project, found {here}")
    return top


if __name__ == "__main__":
    sys.exit(main())
