"""Cells over seeds, and tables in Markdown."""

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fhvae.cited import leaks, look_up
from fhvae.intervals import Interval, over_speakers_and_seeds, students_t

Metrics = Mapping[str, Any]
BySeed = Mapping[int, Metrics]
Runs = Mapping[str, BySeed]  # setting -> seed -> metrics
DIFFERENCES = (".difference.", ".z1_minus.")  # in keys of what is no rate
FEW_ERRORS = "(<30)"  # behind an EER of fewer errors than that


def read_runs(folder: Path) -> Runs:
    """Read the metrics of all runs in a folder, `<setting>-seed<seed>.json`."""
    runs: dict[str, dict[int, Metrics]] = {}
    for path in sorted(folder.glob("*-seed*.json")):
        setting, seed = path.stem.rsplit("-seed", 1)
        content = json.loads(path.read_text(encoding="utf-8"))
        metrics = {
            **with_leaks(content["metrics"]),
            "wall_s": content.get("wall_s"),
            "commit": content["commit"],
        }
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


def limits_of(key: str) -> tuple[float, float]:
    """Say below and above which a quantity cannot lie; insertions may bring a PER above 1."""
    highest = {"eer": 1.0, "accuracy": 1.0, "per": math.inf}
    name, is_difference = key.rsplit(".", 1)[-1], any(part in key for part in DIFFERENCES)
    return (-math.inf, math.inf) if is_difference or name not in highest else (0.0, highest[name])


def pooled(runs: BySeed, key: str) -> Interval | None:
    """Pool one quantity over seeds and speakers; None where no run has it."""
    found = [
        Interval(*(look_up(run, key + end) for end in ("", "_low", "_high")))
        for run in runs.values()
        if look_up(run, key) is not None
    ]
    return over_speakers_and_seeds(found, limits_of(key)) if found else None


@dataclass(frozen=True)
class Spread:
    """How far a figure moves, as standard deviations.

    Attributes:
        speakers: with other test speakers, of one training.
        trainings: with other seeds of the training, on the same speakers; None of a single one.
    """

    speakers: float
    trainings: float | None


def spread_of(runs: BySeed, key: str) -> Spread | None:
    """Take apart what one quantity owes to speakers and to seeds; None without intervals."""
    ends = [[look_up(run, key + end) for end in ("", "_low", "_high")] for run in runs.values()]
    known = [(value, low, high) for value, low, high in ends if low is not None]
    if not known:
        return None
    halves = [(high - low) / 2 / students_t(math.inf) for _, low, high in known]
    speakers = math.sqrt(statistics.mean(half**2 for half in halves))
    values = [value for value, _, _ in known]
    return Spread(speakers, statistics.stdev(values) if len(values) > 1 else None)


def has_few_errors(runs: BySeed, key: str) -> bool:
    """Tell whether in some run fewer than 30 errors stand behind an EER."""
    beside = f"{key.rsplit('.', 1)[0]}.rule_of_30"
    return key.endswith(".eer") and 0 in [look_up(run, beside) for run in runs.values()]


def cell(runs: BySeed, key: str, scale: float = 100, digits: int = 1) -> str:
    """Lay out one quantity over seeds with its interval over speakers and seeds.

    "-" where no run has it; `FEW_ERRORS` stands behind an EER of few errors.
    """
    whole = pooled(runs, key)
    if whole is None:
        return "-"
    known = [look_up(run, key) for run in runs.values() if look_up(run, key) is not None]
    text = spread(known, scale, digits)
    if whole.low is not None and whole.high is not None:
        text += f" [{scale * whole.low:.{digits}f}, {scale * whole.high:.{digits}f}]"
    return f"{text} {FEW_ERRORS}" if has_few_errors(runs, key) else text


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a Markdown table; empty text if it has no row."""
    body = [f"| {' | '.join(row)} |" for row in rows]
    if not body:
        return ""
    head = [f"| {' | '.join(header)} |", "|" + " --- |" * len(header)]
    return "\n".join([*head, *body]) + "\n"


def part(heading: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Put a heading over a table; nothing where no row has a figure."""
    found = with_figures(rows)
    return f"{heading}\n\n{table(columns, found)}" if found else ""


def with_figures(rows: Iterable[Sequence[str]]) -> list[Sequence[str]]:
    """Keep the rows that have a figure behind their title."""
    return [row for row in rows if set(row[1:]) - {"-", ""}]


def put_between(text: str, begin: str, end: str, inside: str) -> str:
    """Replace what stands between a marker line and the next marker of its end."""
    head, rest = text.split(begin, 1)
    _, tail = rest.split(end, 1)
    return f"{head}{begin}\n{inside}{end}{tail}"
