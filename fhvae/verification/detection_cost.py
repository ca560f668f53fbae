"""Figures beside the EER: the minimum detection cost, and the EER as others round it."""

import numpy as np

from fhvae.trials.error_rates import ErrorCurve, det_points


def legacy_equal_error_rate(curve: ErrorCurve) -> np.ndarray:
    """Take FNR at the score where FNR and FPR differ least, the lowest of several.

    For side-by-side reading with published figures of this form only: the answer is
    always a whole number of targets, and 0 when all scores are equal.
    """
    distance = np.abs(curve.fnr - curve.fpr)[..., :-1]  # infinity is not a score
    closest = np.argmin(distance, axis=-1)[..., None]
    return np.asarray(np.take_along_axis(curve.fnr, closest, axis=-1)[..., 0])


def minimum_detection_cost(curve: ErrorCurve, prior: float) -> np.ndarray:
    """Find the least `(P FNR + (1 - P) FPR) / min(P, 1 - P)` over all thresholds.

    1 is what always accepting or always rejecting reaches, so the cost is at most 1.

    Args:
        curve: error rates.
        prior: P, the probability of a target trial, in (0, 1).
    """
    if not 0 < prior < 1:
        raise ValueError(f"prior must be in (0, 1), got {prior}")
    cost = prior * curve.fnr + (1 - prior) * curve.fpr
    return np.asarray(cost.min(axis=-1) / min(prior, 1 - prior))


def eer_legacy(
    scores: np.ndarray, is_target: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Compute the error rate of `legacy_equal_error_rate`, a fraction in [0, 1]."""
    return float(legacy_equal_error_rate(det_points(scores, is_target, weights)))


def min_dcf(
    scores: np.ndarray,
    is_target: np.ndarray,
    prior: float,
    weights: np.ndarray | None = None,
) -> float:
    """Compute the normalized minimum detection cost at a prior, in [0, 1]; both costs are 1."""
    return float(minimum_detection_cost(det_points(scores, is_target, weights), prior))
