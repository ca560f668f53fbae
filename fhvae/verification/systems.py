"""One system, a vector with a back-end: its scores, error rates and intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from fhvae.intervals import percentile_interval
from fhvae.trials.cosine import Vectors
from fhvae.trials.error_rates import (
    ErrorCurve,
    RankedTrials,
    det_points,
    eer,
    equal_error_rate,
    error_curve,
    rank_trials,
)
from fhvae.trials.pairs import Trials
from fhvae.verification.bands import Band, det_band
from fhvae.verification.calibration import Calibration, actual_detection_cost, cllr, fit_calibration
from fhvae.verification.conditions import ALL_PAIRS, TrialList
from fhvae.verification.crossing import resample_eer
from fhvae.verification.detection_cost import legacy_equal_error_rate, minimum_detection_cost
from fhvae.verification.hull import hull_equal_error_rate, minimum_cllr
from fhvae.verification.intervals import SpeakerDraws, jackknife_eer
from fhvae.verification.scoring import Backend, DevVectors, score_trials
from fhvae.verification.trials import as_written, write_scores

PRIORS = {"p01": 0.01, "p05": 0.05}  # of the detection costs
FEW_ERRORS = 30  # the rule of 30: below so many errors an error rate is hardly known
Metrics = dict[str, float | int | str]


@dataclass(frozen=True)
class Setting:
    """What all systems are evaluated with.

    Attributes:
        lists: lists of test trials by name, `all_pairs` among them.
        draws: of speakers, for each list.
        dimensions: of the rows `lda<k>`.
        protocol: headline: conditions and files of scores for `cos` and the best only.
        jackknife: whether to bound the EER by the jackknife too.
    """

    lists: Mapping[str, TrialList]
    draws: Mapping[str, SpeakerDraws]
    dimensions: Sequence[int]
    protocol: Literal["headline", "full"]
    jackknife: bool

    @property
    def trials(self) -> Trials:
        """The list of all pairs."""
        return self.lists[ALL_PAIRS].trials


@dataclass(frozen=True)
class System:
    """A fitted back-end, what it says, and how right it is.

    Attributes:
        backend: fitted.
        scores: `[trial]` of all pairs, rounded as they are written.
        dev_scores: `[trial]` of the dev split, rounded; None where dev has no trials.
        calibration: of the scores, on dev; None where dev has no trials.
        draws: EER of all pairs under each draw of speakers.
        metrics: by name.
    """

    backend: Backend
    scores: np.ndarray
    dev_scores: np.ndarray | None
    calibration: Calibration | None
    draws: np.ndarray
    metrics: Metrics


@dataclass(frozen=True)
class Curve:
    """A DET curve with its band; None where speakers are too few for one."""

    points: ErrorCurve
    eer: float
    band: Band | None


def make_system(
    backend: Backend, test: Vectors, dev: DevVectors | None, setting: Setting
) -> System:
    """Score all pairs of test and of dev, and compute every metric.

    Raises:
        TrialError: a vector has no direction; the message names the utterance.
    """
    trials = setting.trials
    scores = as_written(score_trials(backend, test, trials))
    ranked = rank_trials(scores, trials.is_target)
    curve = error_curve(ranked)
    draws = resample_eer(trials, ranked, setting.draws[ALL_PAIRS].counts)
    metrics: Metrics = {**error_rates(curve, draws), **diagnostics(curve, trials)}
    if setting.jackknife:
        metrics |= jackknife_rates(trials, ranked, curve)
    dev_scores, calibration = None, None
    if dev is not None:
        dev_scores = as_written(score_trials(backend, dev.vectors, dev.trials))
        calibration = fit_calibration(dev_scores, dev.trials.is_target)
        metrics |= calibrated_costs(calibration.apply(scores), trials.is_target)
        metrics["dev_eer"] = eer(dev_scores, dev.trials.is_target)
    return System(backend, scores, dev_scores, calibration, draws, metrics)


def error_rates(curve: ErrorCurve, draws: np.ndarray) -> dict[str, float]:
    """Compute the EER with its interval, and the least detection costs.

    Args:
        curve: of the trials.
        draws: EER under each draw of speakers.
    """
    interval = percentile_interval(float(equal_error_rate(curve)), draws)
    metrics = interval.metrics("eer")
    for name, prior in PRIORS.items():
        metrics[f"mindcf_{name}"] = float(minimum_detection_cost(curve, prior))
    return metrics


def diagnostics(curve: ErrorCurve, trials: Trials) -> dict[str, float | int]:
    """Compute other readings of the curve, and how many errors the EER rests on."""
    targets = np.count_nonzero(trials.is_target)
    errors = round(float(equal_error_rate(curve)) * targets)
    return {
        "eer_legacy": float(legacy_equal_error_rate(curve)),
        "eer_rocch": hull_equal_error_rate(curve),
        "cllr_min": minimum_cllr(curve),
        "n_err_eer": errors,
        "rule_of_30": int(errors >= FEW_ERRORS),
    }


def jackknife_rates(trials: Trials, ranked: RankedTrials, curve: ErrorCurve) -> dict[str, float]:
    """Bound the EER by leaving out one speaker at a time."""
    bounds = jackknife_eer(trials, ranked, float(equal_error_rate(curve))).metrics("eer_jackknife")
    return {name: bound for name, bound in bounds.items() if name != "eer_jackknife"}


def calibrated_costs(ratios: np.ndarray, is_target: np.ndarray) -> dict[str, float]:
    """Compute what it costs to trust calibrated scores, `[trial]`."""
    costs = {"cllr": cllr(ratios, is_target)}
    for name, prior in PRIORS.items():
        costs[f"actdcf_{name}"] = actual_detection_cost(ratios, is_target, prior)
    return costs


def condition_rates(backend: Backend, test: Vectors, name: str, setting: Setting) -> Metrics:
    """Score another list of trials: the EER with its interval, and the detection costs.

    Raises:
        TrialError: a vector, of an utterance or a model, has no direction.
    """
    listed = setting.lists[name]
    scores = as_written(score_trials(backend, listed.vectors(test), listed.trials))
    ranked = rank_trials(scores, listed.trials.is_target)
    draws = resample_eer(listed.trials, ranked, setting.draws[name].counts)
    return dict(error_rates(error_curve(ranked), draws))


def det_curve(system: System, setting: Setting) -> Curve:
    """Follow the DET curve of all pairs, with its band."""
    points = det_points(system.scores, setting.trials.is_target)
    band = det_band(setting.trials, system.scores, setting.draws[ALL_PAIRS])
    return Curve(points, float(equal_error_rate(points)), band)


def write_system(
    folder: Path, name: str, system: System, dev: DevVectors | None, setting: Setting
) -> None:
    """Write the scores of one system: `<name>.tsv` of test and `dev/<name>.tsv`."""
    write_scores(folder / f"{name}.tsv", setting.trials, system.scores)
    if dev is not None and system.dev_scores is not None:
        write_scores(folder / "dev" / f"{name}.tsv", dev.trials, system.dev_scores)
