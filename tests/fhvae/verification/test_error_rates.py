"""Costs, hull, calibration and Cllr: by hand, by brute force, by other solvers, at the limits."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import bisect
from scipy.stats import norm
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from fhvae.errors import TrialError
from fhvae.trials import det_points, eer, equal_error_rate
from fhvae.verification.error_rates import (
    Calibration,
    actual_detection_cost,
    are_separated,
    cllr,
    false_alarms_at_crossing,
    fit_calibration,
    legacy_equal_error_rate,
    lower_hull,
    minimum_cllr,
    minimum_detection_cost,
)
from tests.score_lists import brute_force_rates, scored_trials, weighted_curve


def min_dcf(scores, is_target, prior):
    return minimum_detection_cost(det_points(scores, is_target), prior)


def eer_legacy(scores, is_target):
    return legacy_equal_error_rate(det_points(scores, is_target))


def eer_of_hull(curve):
    return float(equal_error_rate(lower_hull(curve)))


def cllr_min(scores, is_target):
    return minimum_cllr(lower_hull(det_points(scores, is_target)))


def test_costs_worked_out_on_paper():
    # Four targets .2 .3 .6 .9 and four non-targets .1 .5 .6 .8: FNR 0 0 1/4 2/4 2/4 3/4 3/4 1 and
    # FPR 1 3/4 3/4 3/4 2/4 1/4 0 0 at thresholds .1 .2 .3 .5 .6 .8 .9 inf.
    scores = np.array([0.2, 0.5, 0.6, 0.9, 0.1, 0.3, 0.6, 0.8])
    labels = np.array([1, 0, 1, 1, 0, 1, 0, 0], dtype=bool)
    assert eer_legacy(scores, labels) == pytest.approx(0.5, abs=1e-12)
    # P = 0.5: the least of (FNR + FPR) / 2 / 0.5 = FNR + FPR is 0.75, at threshold 0.2 or 0.9.
    assert min_dcf(scores, labels, prior=0.5) == pytest.approx(0.75, abs=1e-12)
    # P = 0.01: a false alarm costs 99 times a miss; at 0.9 there is none, and 3/4 are missed.
    assert min_dcf(scores, labels, prior=0.01) == pytest.approx(0.75, abs=1e-12)


def eer_fa(scores, is_target):
    return float(false_alarms_at_crossing(det_points(scores, is_target)))


def test_false_alarms_at_the_crossing_are_not_the_misses_there():
    # Targets 1, 3 and non-targets 0, 2, 2.5: at 2 FNR 1/2 is below FPR 2/3, at 2.5 above 1/3.
    scores, labels = np.array([1, 3, 0, 2, 2.5]), np.array([1, 1, 0, 0, 0], dtype=bool)
    assert eer_fa(scores, labels) == pytest.approx(1 / 3, abs=1e-12)
    assert eer(scores, labels) == pytest.approx(1 / 2, abs=1e-12)


@pytest.mark.parametrize(
    ("scores", "expected"), [([0.9, 0.8, 0.2, 0.1], 0.0), ([0.1, 0.2, 0.8, 0.9], 1.0)]
)
def test_false_alarms_at_the_crossing_known_by_construction(scores, expected):
    assert eer_fa(np.array(scores), np.array([1, 1, 0, 0], dtype=bool)) == expected


@given(scored_trials())
def test_false_alarms_at_the_crossing_are_those_of_bisection(trials):
    """The published rule, literally: it ends on one of the two sides of the crossing score."""
    scores, labels = trials[0] / 8, trials[1]  # within (-1, 1), as cosines are

    def false_alarms(threshold):
        return (scores[~labels] > threshold).mean()

    def difference(threshold):
        return (scores[labels] <= threshold).mean() - false_alarms(threshold)

    theirs = false_alarms(bisect(difference, -1, 1))
    points = det_points(scores, labels)
    after = np.flatnonzero(points.fnr >= points.fpr)[0]
    ours = eer_fa(scores, labels)
    assert ours == points.fpr[after]
    assert min(abs(theirs - ours), abs(theirs - points.fpr[after - 1])) < 1e-12
    assert ours <= eer(scores, labels) + 1e-12


def test_legacy_eer_is_the_fnr_at_the_nearest_score():
    # Targets 1, 2, 3 and non-targets 0, 2, 2: at scores 0, 1, 2, 3 the rates differ by
    # 1, 2/3, 1/3, 2/3; at the score 2 FNR is 1/3.
    scores, labels = np.array([1, 3, 2, 0, 2, 2]), np.array([1, 1, 1, 0, 0, 0], dtype=bool)
    assert eer_legacy(scores, labels) == pytest.approx(1 / 3, abs=1e-12)


def test_legacy_eer_takes_the_lowest_threshold_of_a_tie():
    # Targets 1, 2 and non-targets 0, 1: FNR, FPR are 0, 1/2 at the score 1 and 1/2, 0 at 2.
    assert eer_legacy(np.array([1, 2, 0, 1]), np.array([1, 1, 0, 0], dtype=bool)) == 0.0


def test_legacy_eer_knows_distinct_scores_only():
    # The one score accepts everything: FNR 0, FPR 1. Infinity, with FNR 1, is no score.
    assert eer_legacy(np.array([2.0, 2.0]), np.array([True, False])) == 0.0


@given(scored_trials(weights=True))
def test_agrees_with_brute_force(parts):
    scores, labels, weights = parts
    rates = brute_force_rates(scores, labels, weights)
    curve = weighted_curve(scores, labels, weights)
    costs = [(0.05 * fnr + 0.95 * fpr) / 0.05 for fnr, fpr in rates]
    assert minimum_detection_cost(curve, 0.05) == pytest.approx(min(costs), abs=1e-12)
    distances = [abs(fnr - fpr) for fnr, fpr in rates[:-1]]
    assert legacy_equal_error_rate(curve) == rates[distances.index(min(distances))][0]


@given(scored_trials(), st.randoms(use_true_random=False))
def test_rising_maps_and_the_order_of_trials_change_nothing(parts, random):
    scores, labels = parts
    places = list(range(len(scores)))
    random.shuffle(places)
    curve = det_points(scores, labels)
    for other in (
        det_points(np.exp(scores) + 3 * scores - 7, labels),
        det_points(scores[places], labels[places]),
    ):
        assert legacy_equal_error_rate(other) == legacy_equal_error_rate(curve)
        assert minimum_detection_cost(other, 0.05) == minimum_detection_cost(curve, 0.05)
        assert eer_of_hull(other) == eer_of_hull(curve)
        assert minimum_cllr(lower_hull(other)) == minimum_cllr(lower_hull(curve))


@given(scored_trials(), st.sampled_from([0.01, 0.05, 0.5, 0.9]))
def test_detection_cost_is_between_0_and_1(parts, prior):
    assert 0 <= min_dcf(*parts, prior) <= 1


def test_agrees_with_speechbrain():
    """A second public implementation: its EER is the mean of the rates at one threshold."""
    metrics = pytest.importorskip(
        "speechbrain.utils.metric_stats", reason="the package speechbrain is not installed"
    )
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(12)
    labels = random.random(4000) < 0.3
    scores = random.normal(size=4000) + 1.5 * labels
    positive, negative = torch.tensor(scores[labels]), torch.tensor(scores[~labels])
    found, _ = metrics.EER(positive, negative)
    # Two thresholds next to each other lie at most a trial of each kind apart.
    assert found == pytest.approx(eer(scores, labels), abs=1 / labels.sum())
    cost, _ = metrics.minDCF(positive, negative, c_miss=1.0, c_fa=1.0, p_target=0.05)
    assert cost / 0.05 == pytest.approx(min_dcf(scores, labels, 0.05), abs=1e-3)


def brute_force_hull_eer(scores, labels):
    """The lowest crossing of any line between two points of the curve."""
    points = brute_force_rates(scores, labels, np.ones(len(scores)))
    lowest = 1.0
    for (fnr_0, fpr_0), (fnr_1, fpr_1) in combinations(points, 2):
        d_0, d_1 = fnr_0 - fpr_0, fnr_1 - fpr_1
        if d_0 < 0 <= d_1:
            lowest = min(lowest, fnr_1 - d_1 / (d_1 - d_0) * (fnr_1 - fnr_0))
    return lowest


@given(scored_trials())
def test_hull_eer_is_the_lowest_of_all_chords(parts):
    found = eer_of_hull(det_points(*parts))
    assert found == pytest.approx(brute_force_hull_eer(*parts), abs=1e-12)
    assert found <= eer(*parts) + 1e-12


@given(scored_trials())
def test_the_hull_is_convex_and_below_the_curve(parts):
    curve = det_points(*parts)
    hull = lower_hull(curve)
    assert (hull.fnr[0], hull.fpr[0], hull.fnr[-1], hull.fpr[-1]) == (0, 1, 1, 0)
    on_hull = np.interp(-curve.fpr, -hull.fpr, hull.fnr)
    strict = (curve.fpr > 0) & (curve.fpr < 1)
    assert (on_hull <= curve.fnr + 1e-12)[strict].all()
    edges = np.stack([np.diff(hull.fnr), -np.diff(hull.fpr)])
    turns = edges[0, 1:] * edges[1, :-1] - edges[0, :-1] * edges[1, 1:]
    assert (turns >= -1e-12).all()


@given(scored_trials())
def test_no_detection_cost_is_lower_than_on_the_hull(parts):
    """Straight edges add no better threshold: the least cost is at a corner."""
    curve = det_points(*parts)
    for prior in (0.01, 0.3, 0.9):
        least = minimum_detection_cost(curve, prior)
        on_hull = minimum_detection_cost(lower_hull(curve), prior)
        assert on_hull == pytest.approx(least, abs=1e-12)


def by_isotonic_regression(scores, labels):
    """Cllr of the ratios that scikit-learn's isotonic regression of all trials gives."""
    shares = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())
    posterior = IsotonicRegression().fit(scores, labels, sample_weight=shares).predict(scores)
    with np.errstate(divide="ignore"):
        return cllr(np.log(posterior) - np.log(1 - posterior), labels)


@given(scored_trials())
def test_minimum_cllr_is_that_of_isotonic_regression(parts):
    assert cllr_min(*parts) == pytest.approx(by_isotonic_regression(*parts), abs=1e-9)


@given(scored_trials())
def test_no_rising_map_goes_below_the_minimum(parts):
    scores, labels = parts
    least = cllr_min(scores, labels)
    assert 0 <= least <= 1 + 1e-12
    for ratios in (scores, 100 * scores, 0.1 * scores - 2, np.exp(scores), np.cbrt(scores)):
        assert least <= cllr(ratios, labels) + 1e-12


@given(scored_trials())
def test_turning_scores_and_labels_around_changes_nothing(parts):
    scores, labels = parts
    curve, turned = det_points(scores, labels), det_points(-scores, ~labels)
    assert eer_of_hull(turned) == pytest.approx(eer_of_hull(curve), abs=1e-12)
    assert cllr_min(-scores, ~labels) == pytest.approx(cllr_min(scores, labels), abs=1e-9)
    assert cllr(-scores, ~labels) == pytest.approx(cllr(scores, labels), abs=1e-12)


def test_limits_of_the_minimum():
    labels = np.array([True, True, False, False])
    assert cllr_min(np.array([3.0, 4, 1, 2]), labels) == 0.0
    assert cllr_min(np.array([1.0, 1, 1, 1]), labels) == pytest.approx(1.0)
    # The wrong way round, pooling makes one block of all.
    assert cllr_min(np.array([1.0, 2, 3, 4]), labels) == pytest.approx(1.0)


def test_hull_by_hand():
    # Targets 1, 3, 4 and non-targets 0, 2: the corner (FNR 1/3, FPR 1/2) at 2 lies on no hull:
    # the pool {2 non-target, 1 target} goes from (0, 1/2) to (1/3, 0). The diagonal crosses it
    # where t / 3 = (1 - t) / 2, t = 3/5: at 1/5. Its ratio is (1/3) / (1/2) = 2/3:
    # Cllr = ((1/3) log2(1 + 3/2) + (1/2) log2(1 + 2/3)) / 2.
    scores, labels = np.array([1.0, 3, 4, 0, 2]), np.array([1, 1, 1, 0, 0], dtype=bool)
    curve = det_points(scores, labels)
    assert eer_of_hull(curve) == pytest.approx(1 / 5, abs=1e-12)
    expected = (np.log2(5 / 2) / 3 + np.log2(5 / 3) / 2) / 2
    assert cllr_min(scores, labels) == pytest.approx(expected, abs=1e-12)


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
    assert cllr_min(scores, labels) <= found + 1e-9
    assert found <= 1 + 1e-9  # on its own data never worse than saying nothing


@pytest.mark.parametrize(
    ("targets", "nontargets", "separated"),
    [
        ([3.0, 2.9], [0.1, -1.0], True),
        ([3.0, 1.0], [1.0, -1.0], True),  # they touch: still no slope is the best one
        ([3.0, 0.9], [1.0, -1.0], False),
        ([0.1, -1.0], [3.0, 2.9], False),  # the wrong way round: the best slope is 0
        ([0.5, 0.5], [0.5, 0.5], False),
    ],
)
def test_scores_that_a_threshold_parts_are_told(targets, nontargets, separated):
    scores, labels = np.array([*targets, *nontargets]), np.array([True, True, False, False])
    assert are_separated(scores, labels) == separated


def test_the_scale_of_the_scores_does_not_matter():
    scores, labels = gaussian_scores(seed=3, count=500)
    first, scaled = fit_calibration(scores, labels), fit_calibration(1e-5 * scores + 7, labels)
    np.testing.assert_allclose(scaled.apply(1e-5 * scores + 7), first.apply(scores), atol=1e-6)


def test_scores_the_wrong_way_round_or_constant_say_nothing():
    scores, labels = gaussian_scores(seed=4, count=300)
    assert fit_calibration(-scores, labels) == Calibration(0.0, 0.0)
    assert fit_calibration(np.full(300, 0.3), labels) == Calibration(0.0, 0.0)


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


def test_one_kind_of_trial_is_refused():
    scores, one_kind = np.array([1.0, 2.0]), np.array([True, True])
    for judge in (fit_calibration, cllr, lambda s, y: actual_detection_cost(s, y, 0.05)):
        with pytest.raises(TrialError, match="got 2 target and 0 non-target"):
            judge(scores, one_kind)
