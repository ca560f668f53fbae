"""All vectors side by side: metrics and tables of the stage verify, and which vector is better."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fhvae.intervals import t_interval
from fhvae.trials import ErrorCurve, Trials, deviates
from fhvae.verification.backends import lda_speakers
from fhvae.verification.evaluate import BEST, Curve, Evaluation, VectorResult
from fhvae.verification.trial_lists import ALL_PAIRS

log = logging.getLogger(__name__)

# Dev chooses the one that mu2 must beat, by each back-end its own.
BASELINES = ("ivector", "ivector_supervised", "fbank", "pca")
BASELINE = "baseline"
# What mu2 is held against, by cosine and by the best supervised back-end of each. Not the mean of
# z2: by `latents.mu2: mean` it is mu2 times a number.
AGAINST_MU2 = (*BASELINES, "mu1", "untrained", "mean_removed", "level", "speech")
NEITHER = "neither"
POINTS = 200  # of a DET curve, after thinning


def summarize(
    results: Sequence[VectorResult], evaluation: Evaluation, hashes: Mapping[str, str]
) -> dict[str, Any]:
    """Lay out the metrics of the stage, nested by vector and back-end.

    Args:
        results: of every vector.
        evaluation: trials and draws.
        hashes: sha256 of each list of trials.
    """
    train_speakers = set(evaluation.train_speakers)
    usable = len(lda_speakers(evaluation.train_speakers))
    reasons = dict(evaluation.absent)
    by_list: dict[str, Any] = {}
    for name, listed in evaluation.lists.items():
        if name != ALL_PAIRS:
            by_list[name] = {"trials": count_trials(listed.trials, hashes[name])}
    metrics: dict[str, Any] = {
        "trials": count_trials(evaluation.trials, hashes[ALL_PAIRS]),
        "speakers": len(evaluation.trials.speaker_names),
        "redrawn": evaluation.draws.redrawn,
        "lda_train": {"speakers": usable, "left_out": len(train_speakers) - usable},
        "conditions": by_list,
    }
    for result in results:
        metrics[result.name] = result.metrics
        reasons |= result.absent
        for name, rows in result.by_list.items():
            by_list[name][result.name] = rows
        log_main(result)
    metrics["difference"] = differences(results)
    for name, reason in reasons.items():
        log.warning("%s is absent: %s", name, reason)
    return metrics | {"absent": reasons}


def count_trials(trials: Trials, sha256: str) -> dict[str, int | str]:
    """Count the trials of a list, and name its file by content."""
    targets = int(trials.is_target.sum())
    return {"target": targets, "nontarget": len(trials) - targets, "sha256": sha256}


def log_main(result: VectorResult) -> None:
    """Log the EER of the two rows that are quoted."""
    for key in ("cos", BEST):
        if key in result.metrics:
            row = result.metrics[key]
            bounds = f" [{row['eer_low']:.4f}, {row['eer_high']:.4f}]" if "eer_low" in row else ""
            name = row.get("backend", key)
            log.info("%s.%s: EER %.4f%s", result.name, name, row["eer"], bounds)


def best_baseline(results: Sequence[VectorResult], backend: str) -> str | None:
    """Name the baseline with the lowest EER on dev by a back-end; None where dev has no trials."""
    rows = {one.name: one.metrics.get(backend, {}) for one in results if one.name in BASELINES}
    known = [name for name in BASELINES if "dev_eer" in rows.get(name, {})]
    return min(known, key=lambda name: rows[name]["dev_eer"], default=None)


def differences(results: Sequence[VectorResult]) -> dict[str, dict[str, dict[str, float | str]]]:
    """Subtract from the EER of mu2 that of other vectors, by back-end.

    Beside them stands `mu2-baseline`, the difference from the baseline that dev chooses, and its
    name.

    Both lose the same speaker at a time, so what they share cancels. A vector is called better
    only where the interval of the difference excludes 0; without one there is no verdict.
    """
    by_name = {result.name: result for result in results}
    found: dict[str, dict[str, dict[str, float | str]]] = {}
    for backend in ("cos", BEST):
        first, chosen = by_name["mu2"], best_baseline(results, backend)
        pairs = {
            f"mu2-{other}": difference(first, by_name[other], backend)
            for other in AGAINST_MU2
            if other in by_name and backend in first.left_out.keys() & by_name[other].left_out
        }
        if f"mu2-{chosen}" in pairs:
            pairs[f"mu2-{BASELINE}"] = {**pairs[f"mu2-{chosen}"], BASELINE: str(chosen)}
        if pairs:
            found[backend] = pairs
    return found


def difference(first: VectorResult, second: VectorResult, backend: str) -> dict[str, float | str]:
    """Compute the EER of the first minus that of the second, with its interval."""
    value = float(first.metrics[backend]["eer"]) - float(second.metrics[backend]["eer"])
    interval = t_interval(value, first.left_out[backend] - second.left_out[backend])
    found: dict[str, float | str] = {**interval.metrics("eer")}
    if interval.low is not None:
        better = first.name if interval.is_below_zero else second.name
        found["better"] = better if interval.excludes_zero else NEITHER
    return found


def calibration_table(results: Sequence[VectorResult]) -> pd.DataFrame:
    """List slope and offset of every system's calibration, to nine significant digits."""
    rows = [
        (f"{result.name}.{name}", f"{item.slope:.9g}", f"{item.offset:.9g}")
        for result in results
        for name, item in result.calibrations.items()
    ]
    return pd.DataFrame(rows, columns=["system", "slope", "offset"])


def named_curves(results: Sequence[VectorResult]) -> dict[str, Curve]:
    """Name the DET curves as `<vector>.<backend>`."""
    curves = {}
    for result in results:
        for key, curve in result.curves.items():
            backend = result.metrics[key].get("backend", key)
            curves[f"{result.name}.{backend}"] = curve
    return curves


def det_table(curves: Mapping[str, Curve]) -> pd.DataFrame:
    """Lay out the DET curves as columns system, fpr, fnr, thinned to `POINTS` rows each."""
    tables = [pd.DataFrame(columns=["system", "fpr", "fnr"])]
    for system, curve in curves.items():
        kept = thin(curve.points)
        rates = {"fpr": curve.points.fpr[kept].round(6), "fnr": curve.points.fnr[kept].round(6)}
        tables.append(pd.DataFrame({"system": system, **rates}))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def band_table(curves: Mapping[str, Curve]) -> pd.DataFrame:
    """Lay out what bands the DET curves have as columns system, fpr, fnr_low, fnr_high."""
    tables = [pd.DataFrame(columns=["system", "fpr", "fnr_low", "fnr_high"])]
    for system, band in ((system, curve.band) for system, curve in curves.items()):
        if band is not None:
            rates = {"fnr_low": band.low.round(6), "fnr_high": band.high.round(6)}
            tables.append(pd.DataFrame({"system": system, "fpr": band.fpr, **rates}))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def thin(points: ErrorCurve) -> np.ndarray:
    """Choose thresholds evenly spread along the drawn curve, both ends kept, `[kept]`."""
    if len(points.fpr) <= POINTS:
        return np.arange(len(points.fpr))
    x, y = deviates(points.fpr), deviates(points.fnr)
    steps = np.abs(np.diff(x)) + np.abs(np.diff(y))
    traveled = np.concatenate([[0], np.cumsum(steps)])
    wanted = np.linspace(0, traveled[-1], POINTS)
    kept = np.searchsorted(traveled, wanted)
    return np.unique(np.concatenate([[0], kept, [len(traveled) - 1]]))
