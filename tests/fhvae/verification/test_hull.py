"""The convex hull of the error curve: by brute force, by scikit-learn's PAV, by its limits."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from fhvae.trials.error_rates import det_points, eer
from fhvae.verification.calibration import cllr
from fhvae.verification.detection_cost import minimum_detection_cost
from fhvae.verification.hull import hull_equal_error_rate, lower_hull, minimum_cllr
from tests.fhvae.verification.score_lists import brute_force_rates, scored_trials


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
    found = hull_equal_error_rate(det_points(*parts))
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
        least = float(minimum_detection_cost(curve, prior))
        on_hull = float(minimum_detection_cost(lower_hull(curve), prior))
        assert on_hull == pytest.approx(least, abs=1e-12)


def by_isotonic_regression(scores, labels):
    """Cllr of the ratios that scikit-learn's isotonic regression of all trials gives."""
    shares = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())
    posterior = IsotonicRegression().fit(scores, labels, sample_weight=shares).predict(scores)
    with np.errstate(divide="ignore"):
        return cllr(np.log(posterior) - np.log(1 - posterior), labels)


@given(scored_trials())
def test_minimum_cllr_is_that_of_isotonic_regression(parts):
    assert minimum_cllr(det_points(*parts)) == pytest.approx(
        by_isotonic_regression(*parts), abs=1e-9
    )


@given(scored_trials())
def test_no_rising_map_goes_below_the_minimum(parts):
    scores, labels = parts
    least = minimum_cllr(det_points(scores, labels))
    assert 0 <= least <= 1 + 1e-12
    for ratios in (scores, 100 * scores, 0.1 * scores - 2, np.exp(scores), np.cbrt(scores)):
        assert least <= cllr(ratios, labels) + 1e-12


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
        assert hull_equal_error_rate(other) == hull_equal_error_rate(curve)
        assert minimum_cllr(other) == minimum_cllr(curve)


@given(scored_trials())
def test_turning_scores_and_labels_around_changes_nothing(parts):
    scores, labels = parts
    curve, turned = det_points(scores, labels), det_points(-scores, ~labels)
    assert hull_equal_error_rate(turned) == pytest.approx(hull_equal_error_rate(curve), abs=1e-12)
    assert minimum_cllr(turned) == pytest.approx(minimum_cllr(curve), abs=1e-9)
    assert cllr(-scores, ~labels) == pytest.approx(cllr(scores, labels), abs=1e-12)


def test_limits_of_the_minimum():
    labels = np.array([True, True, False, False])
    assert minimum_cllr(det_points(np.array([3.0, 4, 1, 2]), labels)) == 0.0
    assert minimum_cllr(det_points(np.array([1.0, 1, 1, 1]), labels)) == pytest.approx(1.0)
    # The wrong way round, pooling makes one block of all.
    assert minimum_cllr(det_points(np.array([1.0, 2, 3, 4]), labels)) == pytest.approx(1.0)


def test_hull_by_hand():
    # Targets 1, 3, 4 and non-targets 0, 2: the corner (FNR 1/3, FPR 1/2) at 2 lies on no hull:
    # the pool {2 non-target, 1 target} goes from (0, 1/2) to (1/3, 0). The diagonal crosses it
    # where t / 3 = (1 - t) / 2, t = 3/5: at 1/5. Its ratio is (1/3) / (1/2) = 2/3:
    # Cllr = ((1/3) log2(1 + 3/2) + (1/2) log2(1 + 2/3)) / 2.
    scores, labels = np.array([1.0, 3, 4, 0, 2]), np.array([1, 1, 1, 0, 0], dtype=bool)
    curve = det_points(scores, labels)
    assert hull_equal_error_rate(curve) == pytest.approx(1 / 5, abs=1e-12)
    expected = (np.log2(5 / 2) / 3 + np.log2(5 / 3) / 2) / 2
    assert minimum_cllr(curve) == pytest.approx(expected, abs=1e-12)
