"""docs/torture.md: what became of every fault in every stage."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from tests.torture.judge import CLEARED, COMMAND, EQUAL, FAILURES, MISSED, REPRO, TOLD

LETTERS = {  # the worst last
    **{MISSED: "·", EQUAL: "=", REPRO: "r", COMMAND: "c", CLEARED: "m", TOLD: "v"},
    **{name: name[0] for name in FAILURES},
}
HEAD = """# Torture

`make torture` runs the pipeline of a tiny corpus under faults and writes this page. All stages but
one have run; that one runs and meets the fault; then `dvc repro` is typed, and what a sentence
names. In the end every result must have the bytes of an undisturbed run, no traceback on the way,
and no file that the undisturbed run did not leave ([0029](decisions/0029-torture.md)).

DVC takes a file for unchanged whose size and times are. Bits that flip under it in what no stage
reads again, or in the cache, `dvc repro` passes over with exit code 0: `make verify` names them,
and `make reproduce` ends with its check. It is typed here when a damaged file is still there (v).
"""


def write_page(
    path: Path,
    of: Mapping[str, Any],
    cases: Sequence[Mapping[str, Any]],
    repeats: Sequence[Mapping[str, Any]],
) -> None:
    """Write the page."""
    parts = [HEAD, *_summary(of, cases), *_matrix(cases), *_failures(cases), *_repeats(repeats)]
    path.write_text("\n".join(parts), encoding="utf-8")


def _summary(of: Mapping[str, Any], cases: Sequence[Mapping[str, Any]]) -> list[str]:
    met = Counter(case["verdict"] for case in cases)
    rows = [(LETTERS[name], name, met[name]) for name in LETTERS]
    return [
        f"{len(cases)} faults of seed {of['seed']}, code {of['code']}, "
        f"{sum(case['seconds'] for case in cases) / max(len(cases), 1):.1f} s each.\n",
        _table(("", "outcome", "faults"), rows),
    ]


def _matrix(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lay out the worst outcome of each fault in each stage."""
    order = list(LETTERS)
    worst: dict[tuple[str, str], str] = {}
    for case in cases:
        place = case["fault"], case["stage"]
        worst[place] = max(case["verdict"], worst.get(place, MISSED), key=order.index)
    stages = list(dict.fromkeys(case["stage"] for case in cases))
    rows = [
        (fault, *(LETTERS.get(worst.get((fault, stage), ""), "") for stage in stages))
        for fault in dict.fromkeys(case["fault"] for case in cases)
    ]
    return [
        "\n## Fault and stage\n\nThe worst outcome of all draws; empty: not played.\n",
        _table(("fault", *stages), rows),
    ]


def _failures(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    failed = [case for case in cases if case["verdict"] in FAILURES]
    if not failed:
        return []
    rows = [
        (
            case["verdict"],
            f"`{case['stage']}: {case['fault']}`",
            case["draw"],
            "; ".join(case["told"]),
        )
        for case in failed
    ]
    return ["\n## Failures\n", _table(("outcome", "--only", "--draw", "what was done"), rows)]


def _repeats(repeats: Sequence[Mapping[str, Any]]) -> list[str]:
    if not repeats:
        return []
    rows = [(one["corpus"], *one["setting"].values(), one["hash"][:16]) for one in repeats]
    head = ("corpus", *repeats[0]["setting"], "hash of all results")
    told = "Whole runs under settings that must not matter (`make torture TORTURE='--repeats 12'`)."
    return [f"\n## Repeats\n\n{told}\n", _table(head, rows)]


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    return tabulate(rows, head, tablefmt="github", disable_numparse=True) + "\n"
