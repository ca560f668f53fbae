"""Scores as log-likelihood ratios: calibration on dev, and what it costs to trust them.

A calibrated score l is read as log P(scores | same speaker) / P(scores | two speakers), in
nats: whoever knows the prior can choose the threshold without seeing a label.
"""

from dataclasses import dataclass

import numpy as np

from fhvae.errors import TrialError
from fhvae.trials.error_rates import check_both_kinds

RIDGE = 1e-9  # on the squared slope of standardized scores: separated ones stay finite by it
STEPS = 500
GRADIENT = 1e-12  # of the loss, in nats per standard deviation, where Newton's method may stop
ROUNDING = 1e-14  # of the loss: a rise below it is none


@dataclass(frozen=True)
class Calibration:
    """The map l = slope * score + offset; the slope is never negative."""

    slope: float
    offset: float

    def apply(self, scores: np.ndarray) -> np.ndarray:
        """Turn scores into log-likelihood ratios, `[trial]`, in nats."""
        return np.asarray(self.slope * scores + self.offset)


def fit_calibration(scores: np.ndarray, is_target: np.ndarray) -> Calibration:
    """Fit the logistic regression of the labels on the scores, both labels weighing one half.

    The optimum is that of the unpenalized regression to about 1e-8 of its slope, except where
    the scores separate the labels, which has none: `RIDGE` then keeps the slope finite. A
    slope below 0 would turn the scores round, so they then count as saying nothing.

    Args:
        scores: `[trial]` of the dev split.
        is_target: `[trial]` bool.

    Raises:
        TrialError: only one kind of trial is there, or Newton's method does not converge.
    """
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
    """Minimize `sum(shares * log(1 + exp(-w @ margins)))` and the ridge over w, `[2]`."""
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
    check_both_kinds(np.asarray(is_target))
    targets = np.logaddexp(0, -ratios[is_target]).mean()
    nontargets = np.logaddexp(0, ratios[~is_target]).mean()
    return float((targets + nontargets) / (2 * np.log(2)))


def actual_detection_cost(ratios: np.ndarray, is_target: np.ndarray, prior: float) -> float:
    """Compute the detection cost at the threshold that calibrated ratios promise to be best.

    Normalized like `error_rates.minimum_detection_cost`, which it can only exceed. Without
    bound 1: badly calibrated scores may cost more than none.

    Args:
        ratios: `[trial]`, in nats; a trial is accepted from log((1 - prior) / prior) on.
        is_target: `[trial]` bool.
        prior: the probability of a target trial, in (0, 1).
    """
    if not 0 < prior < 1:
        raise ValueError(f"prior must be in (0, 1), got {prior}")
    check_both_kinds(np.asarray(is_target))
    accepted = ratios >= np.log((1 - prior) / prior)
    fnr, fpr = 1 - accepted[is_target].mean(), accepted[~is_target].mean()
    return float((prior * fnr + (1 - prior) * fpr) / min(prior, 1 - prior))
