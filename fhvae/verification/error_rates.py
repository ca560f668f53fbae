"""What a system is judged by beside its EER: other readings of the curve, calibration, Cllr.

The lower convex hull of the error curve is the best that any rising map of the scores could do.
Where scores are told apart by threshold and chance, every point between two points of the
curve can be had; the lower hull holds the best of them. It is what pooling adjacent violators
(PAV, isotonic regression of the labels on the scores) finds: a run of scores pooled together
is an edge of the hull, and its slope is their likelihood ratio.

A calibrated score l is read as log P(scores | same speaker) / P(scores | two speakers), in
nats: where the prior is known, the threshold follows without a label.
"""

from dataclasses import dataclass

import numpy as np

from fhvae.errors import TrialError
from fhvae.trials import ErrorCurve, check_both_kinds, check_finite

RIDGE = 1e-9  # on the squared slope of standardized scores: those hardly mixed stay finite by it
SEPARATED = (
    "on dev every target scores at least as high as every non-target, so no slope is the best one; "
    "a calibration would be made up"
)
STEPS = 500  # of Newton's method; beyond, the fit is refused
GRADIENT = 1e-12  # of the loss, in nats per standard deviation, where Newton's method may stop
ROUNDING = 1e-14  # of the loss: a rise below it is none


def legacy_equal_error_rate(curve: ErrorCurve) -> float:
    """Take FNR at the score where FNR and FPR differ least, the lowest of several.

    For side-by-side reading with published figures of this form only: the answer is
    always a whole number of targets, and 0 when all scores are equal.
    """
    return float(curve.fnr[np.argmin(np.abs(curve.fnr - curve.fpr))])  # the first, never infinity


def false_alarms_at_crossing(curve: ErrorCurve) -> np.ndarray:
    """Take FPR at the first threshold where FNR is no longer below it: `eer_fa`.

    Papers on sequential disentanglement call this their EER. They look for the threshold by
    bisection, which ends on either side of the score at the crossing: their figure may be higher
    by the share of the non-targets that have this very score.

    Returns:
        A number for each weighting: shape `[]` or `[draw]`.
    """
    after = np.argmax(curve.fnr >= curve.fpr, axis=-1)[..., None]
    return np.asarray(np.take_along_axis(curve.fpr, after, axis=-1)[..., 0])


def minimum_detection_cost(curve: ErrorCurve, prior: float) -> float:
    """Find the least detection cost over all thresholds; it is at most 1.

    Args:
        curve: error rates.
        prior: the probability of a target trial, in (0, 1).
    """
    _check_prior(prior)
    return float(_detection_cost(curve.fnr, curve.fpr, prior).min())


def _check_prior(prior: float) -> None:
    if not 0 < prior < 1:
        raise ValueError(f"prior must be in (0, 1), got {prior}")


def _detection_cost(fnr: np.ndarray | float, fpr: np.ndarray | float, prior: float) -> np.ndarray:
    """Weigh the rates; 1 is the better of always accepting and always rejecting."""
    return np.asarray((prior * fnr + (1 - prior) * fpr) / min(prior, 1 - prior))


def lower_hull(curve: ErrorCurve) -> ErrorCurve:
    """Keep the thresholds of the curve that lie on its lower convex hull; both ends are kept.

    The EER of the hull is never above that of the curve, and optimistic.
    """
    from sklearn.isotonic import isotonic_regression

    missed, refused = np.diff(curve.fnr), -np.diff(curve.fpr)  # at each score
    some = np.flatnonzero(missed + refused > 0)
    weights = missed[some] + refused[some]
    pooled = isotonic_regression(missed[some] / weights, sample_weight=weights)
    ends = some[np.append(np.flatnonzero(np.diff(pooled)), len(some) - 1)] + 1
    kept = np.unique(np.concatenate([[0], ends, [len(curve.thresholds) - 1]]))
    return ErrorCurve(curve.thresholds[kept], curve.fnr[kept], curve.fpr[kept])


def minimum_cllr(hull: ErrorCurve) -> float:
    """Compute the least Cllr that any rising map of the scores could reach, in bits.

    On an edge of the hull all scores get the likelihood ratio of the edge: its share of the
    targets to its share of the non-targets. No constant is added to the counts, as some do to
    keep ratios finite: an infinite one costs nothing where it is right, and only so is the
    figure the least, which no calibration goes below.

    Args:
        hull: of `lower_hull`.
    """
    targets, nontargets = np.diff(hull.fnr), -np.diff(hull.fpr)
    return float((_cost(targets, nontargets) + _cost(nontargets, targets)).sum() / 2)


def _cost(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Weigh log2(1 + other / own) by `own`; no weight, no cost."""
    ratio = np.divide(other, own, out=np.zeros_like(own), where=own > 0)
    return np.asarray(own * np.log1p(ratio) / np.log(2))


@dataclass(frozen=True)
class Calibration:
    """The map l = slope * score + offset; the slope is never negative."""

    slope: float
    offset: float

    def apply(self, scores: np.ndarray) -> np.ndarray:
        """Turn scores into log-likelihood ratios, `[trial]`, in nats."""
        return np.asarray(self.slope * scores + self.offset)


def are_separated(scores: np.ndarray, is_target: np.ndarray) -> bool:
    """Tell whether a threshold parts targets and non-targets, so that no calibration is best.

    Scores that are all equal say nothing and have one: slope 0.
    """
    lowest, highest = float(scores[is_target].min()), float(scores[~is_target].max())
    return lowest >= highest and bool(np.ptp(scores) > 0)


def fit_calibration(scores: np.ndarray, is_target: np.ndarray) -> Calibration:
    """Fit the logistic regression of the labels on the scores, both labels weighing one half.

    The optimum is that of the unpenalized regression to about 1e-8 of its slope. Scores that
    separate the labels have none and are not asked for (`are_separated`). A slope below 0 would
    turn the scores round, so they then count as saying nothing.

    Args:
        scores: `[trial]` of the dev split.
        is_target: `[trial]` bool.

    Raises:
        TrialError: only one kind of trial is there, a score is NaN or infinite, or Newton's method
            does not converge.
    """
    check_finite(scores)
    check_both_kinds(np.asarray(is_target))
    mean, spread = float(scores.mean()), float(scores.std())
    if spread == 0:
        return Calibration(0.0, 0.0)
    standardized = np.stack([(scores - mean) / spread, np.ones(len(scores))])
    signs = np.where(is_target, 1.0, -1.0)
    shares = np.where(is_target, 0.5 / is_target.sum(), 0.5 / (~is_target).sum())
    slope, offset = _newton(standardized * signs, shares) / np.array([spread, 1.0])
    if slope <= 0:
        return Calibration(0.0, 0.0)
    return Calibration(float(slope), float(offset - slope * mean))


def _newton(margins: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Minimize `sum(shares * log(1 + exp(-w @ margins)))` and the ridge over w, `[2]`.

    Not by scikit-learn's newton-cholesky: where scores separate it takes its Hessian for
    singular, ends by L-BFGS, and stops at slopes that differ from the seventh digit on.
    """
    penalty = np.array([RIDGE, 0.0])
    weights = np.zeros(2)
    loss = _loss(weights, margins, shares)
    for _ in range(STEPS):
        wrong = 0.5 * (1 - np.tanh(0.5 * (weights @ margins)))  # 1 / (1 + e^m), no overflow
        gradient = penalty * weights - margins @ (shares * wrong)
        if np.abs(gradient).max() < GRADIENT:
            return weights
        hessian = (margins * (shares * wrong * (1 - wrong))) @ margins.T + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        while (candidate := _loss(weights - step, margins, shares)) > loss + ROUNDING:
            step = step / 2
        weights, loss = weights - step, candidate
    raise TrialError(
        f"the calibration on dev must converge in {STEPS} steps of Newton's method and did not; "
        "give dev more speakers"
    )


def _loss(weights: np.ndarray, margins: np.ndarray, shares: np.ndarray) -> float:
    fit = shares @ np.logaddexp(0, -(weights @ margins))
    return float(fit + 0.5 * RIDGE * weights[0] ** 2)


def cllr(ratios: np.ndarray, is_target: np.ndarray) -> float:
    """Compute the cost of log-likelihood ratios over all priors, in bits.

    0 for ratios that are always right and sure, 1 for ratios that say nothing, without bound
    for ratios that are surely wrong.

    Args:
        ratios: `[trial]`, in nats.
        is_target: `[trial]` bool.
    """
    _check_ratios(ratios, is_target)
    targets = np.logaddexp(0, -ratios[is_target]).mean()
    nontargets = np.logaddexp(0, ratios[~is_target]).mean()
    return float((targets + nontargets) / (2 * np.log(2)))


def _check_ratios(ratios: np.ndarray, is_target: np.ndarray) -> None:
    """Raise TrialError where a ratio, which may be infinite, is NaN, or a kind is missing."""
    if np.isnan(ratios).any():
        raise TrialError(f"likelihood ratios must be numbers, {np.isnan(ratios).sum()} are nan")
    check_both_kinds(np.asarray(is_target))


def actual_detection_cost(ratios: np.ndarray, is_target: np.ndarray, prior: float) -> float:
    """Compute the detection cost at the threshold that calibrated ratios promise to be best.

    It can only exceed `minimum_detection_cost`, and 1: badly calibrated scores may cost more
    than none.

    Args:
        ratios: `[trial]`, in nats; a trial is accepted from log((1 - prior) / prior) on.
        is_target: `[trial]` bool.
        prior: the probability of a target trial, in (0, 1).
    """
    _check_prior(prior)
    _check_ratios(ratios, is_target)
    accepted = ratios >= np.log((1 - prior) / prior)
    fnr, fpr = 1 - accepted[is_target].mean(), accepted[~is_target].mean()
    return float(_detection_cost(fnr, fpr, prior))
