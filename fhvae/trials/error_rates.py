"""EER of scored trials, with optional weights of the trials.

A high score means "same speaker"; a trial is accepted if its score is at least the
threshold. Thresholds are all distinct scores and infinity. At a threshold t

    FNR(t) = P(target score < t)        FPR(t) = P(non-target score >= t)

The trials are sorted once (`rank_trials`); any number of weightings, such as the draws of a
bootstrap, then cost two cumulative sums each (`error_curve`).
"""

from dataclasses import dataclass

import numpy as np

from fhvae.errors import TrialError


@dataclass(frozen=True)
class RankedTrials:
    """Trials in the order of rising scores.

    Attributes:
        order: `[trial]`, position of each ranked trial in the scores as given.
        is_target: `[trial]` bool, ranked.
        thresholds: `[threshold]`, the distinct scores rising, then infinity.
        below: `[threshold]`, how many ranked trials score less than each threshold.
    """

    order: np.ndarray
    is_target: np.ndarray
    thresholds: np.ndarray
    below: np.ndarray


@dataclass(frozen=True)
class ErrorCurve:
    """Both error rates at every threshold, rising; one row per weighting if there are several.

    Attributes:
        thresholds: `[threshold]`, the last one infinite.
        fnr, fpr: `[threshold]` or `[draw, threshold]`; fnr runs from 0 to 1, fpr from 1 to 0.
    """

    thresholds: np.ndarray
    fnr: np.ndarray
    fpr: np.ndarray


def rank_trials(scores: np.ndarray, is_target: np.ndarray) -> RankedTrials:
    """Sort trials by score, equal scores together.

    Args:
        scores: `[trial]`, high for the same speaker.
        is_target: `[trial]` bool.

    Raises:
        TrialError: a score is NaN or infinite, or only one kind of trial is there.
    """
    scores = np.asarray(scores, np.float64)
    is_target = np.asarray(is_target, bool)
    if scores.ndim != 1 or scores.shape != is_target.shape:
        raise ValueError(f"scores {scores.shape} and labels {is_target.shape} must be [trial]")
    broken = np.flatnonzero(~np.isfinite(scores))
    if len(broken):
        raise TrialError(
            f"scores must be finite, got {scores[broken[0]]} at trial {broken[0]}; "
            f"{len(broken)} of {len(scores)} trials are concerned"
        )
    check_both_kinds(is_target)
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(ranked)) + 1])
    return RankedTrials(
        order=order,
        is_target=is_target[order],
        thresholds=np.append(ranked[starts], np.inf),
        below=np.append(starts, len(ranked)),
    )


def check_both_kinds(is_target: np.ndarray) -> None:
    """Raise TrialError unless there are target and non-target trials."""
    targets = int(np.count_nonzero(is_target))
    if targets == 0 or targets == len(is_target):
        raise TrialError(
            f"an error rate needs target and non-target trials, got {targets} target and "
            f"{len(is_target) - targets} non-target; check the speakers of the evaluation split"
        )


def error_curve(ranked: RankedTrials, weights: np.ndarray | None = None) -> ErrorCurve:
    """Follow both error rates from the lowest threshold to the highest.

    Args:
        ranked: the trials.
        weights: `[trial]` or `[draw, trial]`, of the trials *as ranked*; 1 if not given.

    Raises:
        TrialError: a weight is negative or not finite, or a kind of trial has no weight.
    """
    if weights is None:
        weights = np.ones(len(ranked.order))
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise TrialError("weights of trials must be finite and at least 0")
    targets_below = _cumulative(weights * ranked.is_target)
    nontargets_below = _cumulative(weights * ~ranked.is_target)
    targets, nontargets = targets_below[..., -1:], nontargets_below[..., -1:]
    if (targets == 0).any() or (nontargets == 0).any():
        raise TrialError("the weights of target and of non-target trials must not all be 0")
    fnr = targets_below[..., ranked.below] / targets
    fpr = (nontargets - nontargets_below[..., ranked.below]) / nontargets
    return ErrorCurve(ranked.thresholds, fnr, fpr)


def _cumulative(values: np.ndarray) -> np.ndarray:
    """Sum the values before each position and, at the end, all of them."""
    sums = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
    np.cumsum(values, axis=-1, out=sums[..., 1:])
    return sums


def equal_error_rate(curve: ErrorCurve) -> np.ndarray:
    """Find where FNR meets FPR, on the straight line between the two thresholds around it.

    Returns:
        A number for each weighting: shape `[]` or `[draw]`.
    """
    gap = curve.fnr - curve.fpr  # from -1 to 1, never falling
    after = np.argmax(gap >= 0, axis=-1)[..., None]
    gap_before, gap_after = _at(gap, after - 1), _at(gap, after)
    fnr_before, fnr_after = _at(curve.fnr, after - 1), _at(curve.fnr, after)
    share = gap_after / (gap_after - gap_before)
    return np.asarray(fnr_after - share * (fnr_after - fnr_before))


def _at(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    return np.asarray(np.take_along_axis(values, place, axis=-1)[..., 0])


def det_points(
    scores: np.ndarray, is_target: np.ndarray, weights: np.ndarray | None = None
) -> ErrorCurve:
    """Compute the points of the DET curve; weights are those of the trials as given."""
    ranked = rank_trials(scores, is_target)
    if weights is not None:
        weights = np.asarray(weights, np.float64)[ranked.order]
    return error_curve(ranked, weights)


def eer(scores: np.ndarray, is_target: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Compute the equal error rate of scored trials, a fraction in [0, 1]."""
    return float(equal_error_rate(det_points(scores, is_target, weights)))
