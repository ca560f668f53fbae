"""Cells -> the metrics of the stages recognize_baselines and recognize."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fhvae.intervals import INTERVALS, why_no_interval
from fhvae.recognition.cells import (
    Cell,
    CellKey,
    Experiment,
    cell_interval,
    fill_cells,
)
from fhvae.recognition.gaps import Gap, recovered_gap
from fhvae.recognition.matrix import Materials, Matrix, directions

log = logging.getLogger(__name__)

MAIN = "blstm"  # whose error rates are cited and drawn
REFERENCE_INPUT = "fbank"
NO_COST = (
    "the 95 % interval of what the mismatch costs FBANK does not lie above 0, "
    "so there is no gap to recover"
)


def suffix(recognizer: str) -> str:
    """Name the metrics of a recognizer: per for blstm, per_linear for linear."""
    return "" if recognizer == MAIN else f"_{recognizer}"


def rate_metrics(cells: Mapping[CellKey, Cell]) -> dict[str, Any]:
    """Lay out error rates as `per.<input>.<train side>.<test side>`."""
    metrics: dict[str, Any] = {}
    for key, cell in cells.items():
        of_input = metrics.setdefault(f"per{suffix(key.recognizer)}", {}).setdefault(key.source, {})
        of_input.setdefault(key.train, {})[key.test] = _one_rate(cell)
    return metrics


def _one_rate(cell: Cell) -> dict[str, float]:
    interval, phones = cell_interval(cell), float(cell.phones.sum())
    metrics = interval.metrics("per")
    metrics |= {kind: count / phones for kind, count in cell.edits.items()}
    if len(cell.repeat_rates) > 1:
        metrics["per_std"] = float(cell.repeat_rates.std(ddof=1))
    return metrics


def gap_metrics(
    cells: Mapping[CellKey, Cell],
    baselines: Mapping[CellKey, Cell],
    matrix: Matrix,
) -> dict[str, Any]:
    """Lay out what each input recovers as `gap.<input>.<train side>.<test side>`.

    Beside gain and cost stand the error rates of FBANK that they are measured with: mismatched,
    and of the topline.

    Args:
        cells: of the inputs in question.
        baselines: among them those of FBANK.
        matrix: sides.

    Returns:
        Metrics, with `absent` naming each gap without a value and why.
    """
    metrics: dict[str, Any] = {}
    absent: dict[str, str] = {}
    pairs = {(key.recognizer, key.source): None for key in cells if key.source != REFERENCE_INPUT}
    for recognizer, source in pairs:
        for one in directions(matrix):
            mismatched, topline = (
                baselines[CellKey(recognizer, REFERENCE_INPUT, side, one.target)]
                for side in (one.source, one.topline)
            )
            own = cells[CellKey(recognizer, source, one.source, one.target)]
            gap = recovered_gap(mismatched, own, topline)
            name = f"gap{suffix(recognizer)}"
            of_input = metrics.setdefault(name, {}).setdefault(source, {})
            of_input.setdefault(one.source, {})[one.target] = {
                **_one_gap(gap),
                "fbank": mismatched.rate,
                **cell_interval(topline).metrics("topline"),
            }
            if gap.recovered is None:
                reason = why_no_interval(len(topline.speakers)) or NO_COST
                absent[f"{name}.{source}.{one.source}.{one.target}.recovered"] = reason
    return {**metrics, "absent": absent}


def _one_gap(gap: Gap) -> dict[str, Any]:
    metrics: dict[str, Any] = {"defined": int(gap.recovered is not None)}
    intervals = {"gain": gap.gain, "cost": gap.cost, "recovered": gap.recovered}
    for name, interval in intervals.items():
        if interval is not None:
            metrics |= interval.metrics(name)
    return metrics


def corpus_metrics(materials: Materials) -> dict[str, Any]:
    """Count what was taught and scored, and what was left out."""
    matrix = materials.matrix
    return {
        "classes": len(materials.labels.classes),
        "left_out": materials.left_out,
        "train_utterances": {one.name: len(one.train_ids) for one in matrix.train},
        "test_utterances": {one.name: len(one.utterance_ids) for one in matrix.test},
        "test_speakers": {one.name: one.speaker_count for one in matrix.test},
        "test_phones": materials.test_phones,
        "test_phones_never_taught": materials.unknown_phones,
        "too_many_phones_for_ctc": materials.too_fast,
    }


@dataclass(frozen=True)
class Results:
    """What a stage found, and the baselines (perhaps the same) that it is compared with."""

    experiment: Experiment
    cells: Mapping[CellKey, Cell]
    baselines: Mapping[CellKey, Cell]


def collect(
    experiment: Experiment,
    baselines: pd.DataFrame,
    materials: Materials,
) -> Results:
    """Fill the cells of the matrix.

    Args:
        experiment: of this stage.
        baselines: edits with those of FBANK, columns `COLUMNS`.
        materials: labels and sides.
    """
    matrix = materials.matrix
    return Results(
        experiment=experiment,
        cells=fill_cells(experiment.table, matrix),
        baselines=fill_cells(baselines, matrix),
    )


def summarize(results: Results, materials: Materials) -> dict[str, Any]:
    """Lay out all metrics of a stage; `absent` names what the corpus does not allow, and why.

    `absent` has `intervals.<test side>` where its speakers are too few.
    """
    training = {
        f"training{suffix(name)}": found for name, found in results.experiment.training.items()
    }
    gaps = gap_metrics(results.cells, results.baselines, materials.matrix)
    return {
        **rate_metrics(results.cells),
        **gaps,
        **training,
        "corpus": corpus_metrics(materials),
        "absent": {
            **_not_asked(results.experiment),
            **materials.matrix.absent,
            **gaps["absent"],
            **few_speakers(materials.matrix),
        },
    }


def _not_asked(experiment: Experiment) -> dict[str, str]:
    """Say why `per` and `gap` are absent where other recognizers ran than the one they are of."""
    others = experiment.training.keys()
    if not others or MAIN in others:
        return {}
    reason = f"recognition.<protocol>.recognizers does not name {MAIN}"
    return {
        name: f"{reason}; {', '.join(name + suffix(one) for one in others)} stands for others"
        for name in ("per", "gap")
    }


def few_speakers(matrix: Matrix) -> dict[str, str]:
    """Name the test sides whose speakers allow no interval, say why, and warn."""
    reasons = {one.name: why_no_interval(one.speaker_count) for one in matrix.test}
    found = {f"{INTERVALS}.{name}": reason for name, reason in reasons.items() if reason}
    for name, reason in found.items():
        log.warning("%s is absent: %s", name, reason)
    return found
