"""Calibration and Cllr: against other solvers, by hand, and at the limits."""

import numpy as np
import pytest
from hypothesis import assume, given
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from fhvae.errors import TrialError
from fhvae.trials.error_rates import det_points
from fhvae.verification.calibration import (
    Calibration,
    actual_detection_cost,
    cllr,
    fit_calibration,
)
from fhvae.verification.detection_cost import min_dcf
from fhvae.verification.hull import minimum_cllr
from tests.fhvae.verification.score_lists import scored_trials


def gaussian_scores(seed, count=4000, distance=2.0):
    """Two normal densities of unit variance, one target in five."""
    random = np.random.default_rng(seed)
    labels = random.random(count) < 0.2
    return random.normal(size=count) + distance * labels, labels


def test_agrees_with_scikit_learn():
    scores, labels = gaussian_scores(seed=1)
    shares = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000)
    model.fit(scores[:, None], labels, sample_weight=shares * len(scores))
    found = fit_calibration(scores, labels)
    assert found.slope == pytest.approx(model.coef_[0, 0], rel=1e-6)
    assert found.offset == pytest.approx(model.intercept_[0], rel=1e-6)


def test_finds_the_true_log_likelihood_ratio():
    # log N(s; d, 1) / N(s; 0, 1) = d s - d^2 / 2
    scores, labels = gaussian_scores(seed=2, count=200_000, distance=1.5)
    found = fit_calibration(scores, labels)
    assert found.slope == pytest.approx(1.5, abs=0.03)
    assert found.offset == pytest.approx(-1.125, abs=0.03)


@given(scored_trials())
def test_the_gradient_is_zero_at_the_answer(parts):
    scores, labels = parts
    # Scores that touch in one value at most have no finite optimum without the ridge.
    assume(np.sort(scores[labels])[0] < np.sort(scores[~labels])[-1])
    found = fit_calibration(scores, labels)
    shares = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())
    wrong = labels - 1 / (1 + np.exp(-found.apply(scores)))
    if found.slope > 0:
        assert abs(shares @ wrong) < 1e-9
        assert abs(shares @ (wrong * scores)) < 1e-6
    else:  # a slope below 0 would fit better, or the scores say nothing
        assert shares @ (wrong * scores) <= 1e-12
        assert found == Calibration(0.0, 0.0)


@given(scored_trials())
def test_calibrated_scores_cost_no_less_than_the_best_map(parts):
    scores, labels = parts
    found = cllr(fit_calibration(scores, labels).apply(scores), labels)
    assert minimum_cllr(det_points(scores, labels)) <= found + 1e-9
    assert found <= 1 + 1e-9  # on its own data never worse than saying nothing


def test_separated_scores_stay_finite_and_cost_almost_nothing():
    scores = np.array([3.0, 3.1, 2.9, -1.0, -1.2, 0.1])
    labels = np.array([1, 1, 1, 0, 0, 0], dtype=bool)
    found = fit_calibration(scores, labels)
    assert np.isfinite([found.slope, found.offset]).all()
    assert found.slope > 1
    assert cllr(found.apply(scores), labels) < 1e-6


def test_the_scale_of_the_scores_does_not_matter():
    scores, labels = gaussian_scores(seed=3, count=500)
    first, scaled = fit_calibration(scores, labels), fit_calibration(1e-5 * scores + 7, labels)
    np.testing.assert_allclose(scaled.apply(1e-5 * scores + 7), first.apply(scores), atol=1e-6)


def test_scores_the_wrong_way_round_or_constant_say_nothing():
    scores, labels = gaussian_scores(seed=4, count=300)
    assert fit_calibration(-scores, labels) == Calibration(0.0, 0.0)
    assert fit_calibration(np.full(300, 0.3), labels) == Calibration(0.0, 0.0)


def test_one_kind_of_trial_is_refused():
    with pytest.raises(TrialError, match="got 2 target and 0 non-target"):
        fit_calibration(np.array([1.0, 2.0]), np.array([True, True]))


def test_cllr_by_hand():
    labels = np.array([True, True, False])
    # Targets log 3 and 0: log2(1 + 1/3) and 1; non-target log(1/7): log2(1 + 1/7).
    ratios = np.log([3.0, 1.0, 1 / 7])
    expected = ((np.log2(4 / 3) + 1) / 2 + np.log2(8 / 7)) / 2
    assert cllr(ratios, labels) == pytest.approx(expected, abs=1e-12)
    assert cllr(np.zeros(3), labels) == pytest.approx(1.0, abs=1e-12)
    assert cllr(np.array([np.inf, np.inf, -np.inf]), labels) == 0.0
    assert cllr(np.array([1e4, 1e4, -1e4]), labels) == 0.0  # no overflow


def test_actual_cost_by_hand():
    # The threshold for P = 0.05 is log 19 = 2.944: one of two targets is missed, one of four
    # non-targets gets in: (0.05 / 2 + 0.95 / 4) / 0.05 = 5.25.
    ratios = np.array([3.0, 2.9, 5.0, 0.0, 1.0, -8.0])
    labels = np.array([1, 1, 0, 0, 0, 0], dtype=bool)
    assert actual_detection_cost(ratios, labels, 0.05) == pytest.approx(5.25, abs=1e-12)
    with pytest.raises(ValueError, match="prior must be in"):
        actual_detection_cost(ratios, labels, 1.0)


@given(scored_trials())
def test_the_actual_cost_is_at_least_the_minimum(parts):
    scores, labels = parts
    for prior in (0.01, 0.05, 0.6):
        actual = actual_detection_cost(scores, labels, prior)
        assert actual >= min_dcf(scores, labels, prior) - 1e-12


def test_calibrated_gaussians_cost_what_theory_says():
    """The Bayes threshold log 19 lies at s = (log 19 + 2) / 2 for densities 2 apart."""
    scores, labels = gaussian_scores(seed=5, count=400_000, distance=2.0)
    threshold = (np.log(19) + 2) / 2
    expected = norm.cdf(threshold - 2) + 19 * norm.sf(threshold)
    found = actual_detection_cost(2 * scores - 2, labels, 0.05)
    assert found == pytest.approx(expected, abs=0.02)
