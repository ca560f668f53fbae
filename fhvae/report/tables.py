"""Cells over seeds, and tables in Markdown."""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fhvae.cited import leaks, look_up

Metrics = Mapping[str, Any]
BySeed = Mapping[int, Metrics]
Runs = Mapping[str, BySeed]  # setting -> seed -> metrics


def read_runs(folder: Path) -> Runs:
    """Read the metrics of all runs in a folder, `<setting>-seed<seed>.json`."""
    runs: dict[str, dict[int, Metrics]] = {}
    for path in sorted(folder.glob("*-seed*.json")):
        setting, seed = path.stem.rsplit("-seed", 1)
        content = json.loads(path.read_text(encoding="utf-8"))
        metrics = {**with_leaks(content["metrics"]), "wall_s": content["wall_s"]}
        runs.setdefault(setting, {})[int(seed)] = metrics
    return runs


def with_leaks(metrics: Metrics) -> Metrics:
    """Put beside the stages' metrics, as `leak`, what the strongest attacker reaches on a code."""
    return {**metrics, "leak": leaks(metrics)}


def spread(values: Sequence[float], scale: float = 100, digits: int = 1) -> str:
    """Write mean and standard deviation; one value has no standard deviation, none no mean."""
    if not values:
        return ""
    scaled = [scale * value for value in values]
    text = f"{statistics.mean(scaled):.{digits}f}"
    return f"{text} ({statistics.stdev(scaled):.{digits}f})" if len(scaled) > 1 else text


def cell(runs: BySeed, key: str, scale: float = 100, digits: int = 1) -> str:
    """Lay out one quantity over seeds, with the hull of its intervals; "-" where no run has it."""
    found = [run for run in runs.values() if look_up(run, key) is not None]
    if not found:
        return "-"
    text = spread([look_up(run, key) for run in found], scale, digits)
    ends = [[look_up(run, key + end) for run in found] for end in ("_low", "_high")]
    if None in ends[0]:
        return text
    low, high = scale * min(ends[0]), scale * max(ends[1])
    return f"{text} [{low:.{digits}f}, {high:.{digits}f}]"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a Markdown table; empty text if it has no row."""
    body = [f"| {' | '.join(row)} |" for row in rows]
    if not body:
        return ""
    head = [f"| {' | '.join(header)} |", "|" + " --- |" * len(header)]
    return "\n".join([*head, *body]) + "\n"


def put_between(text: str, begin: str, end: str, inside: str) -> str:
    """Replace what stands between a marker line and the next marker of its end."""
    head, rest = text.split(begin, 1)
    _, tail = rest.split(end, 1)
    return f"{head}{begin}\n{inside}{end}{tail}"
