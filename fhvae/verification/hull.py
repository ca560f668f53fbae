"""The lower convex hull of the error curve: the best any rising map of the scores could do.

Where scores are told apart by threshold and chance, every point between two points of the
curve can be had; the lower hull holds the best of them. It is what pooling adjacent violators
(PAV, isotonic regression of the labels on the scores) finds: a run of scores pooled together
is an edge of the hull, and its slope is their likelihood ratio.
"""

import numpy as np

from fhvae.trials.error_rates import ErrorCurve, equal_error_rate


def lower_hull(curve: ErrorCurve) -> ErrorCurve:
    """Keep the thresholds of the curve that lie on its lower convex hull; both ends are kept.

    Args:
        curve: of one weighting, `[threshold]`.
    """
    from sklearn.isotonic import isotonic_regression

    missed, refused = np.diff(curve.fnr), -np.diff(curve.fpr)  # at each score
    some = np.flatnonzero(missed + refused > 0)
    weights = missed[some] + refused[some]
    pooled = isotonic_regression(missed[some] / weights, sample_weight=weights)
    ends = some[np.append(np.flatnonzero(np.diff(pooled)), len(some) - 1)] + 1
    kept = np.unique(np.concatenate([[0], ends, [len(curve.thresholds) - 1]]))
    return ErrorCurve(curve.thresholds[kept], curve.fnr[kept], curve.fpr[kept])


def hull_equal_error_rate(curve: ErrorCurve) -> float:
    """Find where the lower convex hull has FNR = FPR: never above the EER, and optimistic."""
    return float(equal_error_rate(lower_hull(curve)))


def minimum_cllr(curve: ErrorCurve) -> float:
    """Compute the least Cllr that any rising map of the scores could reach, in bits.

    On an edge of the hull all scores get the likelihood ratio of the edge: its share of the
    targets to its share of the non-targets. No constant is added to the counts, as some do to
    keep ratios finite: an infinite one costs nothing where it is right, and only so is the
    figure the least, which no calibration goes below.
    """
    hull = lower_hull(curve)
    targets, nontargets = np.diff(hull.fnr), -np.diff(hull.fpr)
    return float((_cost(targets, nontargets) + _cost(nontargets, targets)).sum() / 2)


def _cost(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Weigh log2(1 + other / own) by `own`; no weight, no cost."""
    ratio = np.divide(other, own, out=np.zeros_like(own), where=own > 0)
    return np.asarray(own * np.log1p(ratio) / np.log(2))
