"""The definitions of EER and minimum detection cost, against by-hand, brute-force and sklearn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from fhvae.errors import TrialError
from fhvae.trials.error_rates import det_points, eer, equal_error_rate, error_curve, rank_trials
from fhvae.verification.detection_cost import eer_legacy, min_dcf, minimum_detection_cost
from tests.fhvae.verification.score_lists import (
    brute_force_eer,
    brute_force_rates,
    scored_trials,
)

# Four targets .2 .3 .6 .9 and four non-targets .1 .5 .6 .8, worked out on paper:
# threshold  .1   .2   .3   .5   .6   .8   .9   inf
# FNR         0    0   1/4  2/4  2/4  3/4  3/4   1
# FPR         1   3/4  3/4  3/4  2/4  1/4   0    0
SCORES = np.array([0.2, 0.5, 0.6, 0.9, 0.1, 0.3, 0.6, 0.8])
LABELS = np.array([1, 0, 1, 1, 0, 1, 0, 0], dtype=bool)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        pytest.param([0.9, 0.8, 0.2, 0.1], 0.0, id="targets-always-higher"),
        pytest.param([0.1, 0.2, 0.8, 0.9], 1.0, id="targets-always-lower"),
        pytest.param([0.5, 0.5, 0.5, 0.5], 0.5, id="scores-say-nothing"),
    ],
)
def test_eer_known_by_construction(scores, expected):
    is_target = np.array([True, True, False, False])
    assert eer(np.array(scores), is_target) == expected


def test_rates_worked_out_on_paper():
    curve = det_points(SCORES, LABELS)
    assert curve.thresholds.tolist() == [0.1, 0.2, 0.3, 0.5, 0.6, 0.8, 0.9, np.inf]
    assert curve.fnr.tolist() == [0, 0, 0.25, 0.5, 0.5, 0.75, 0.75, 1]
    assert curve.fpr.tolist() == [1, 0.75, 0.75, 0.75, 0.5, 0.25, 0, 0]


def test_metrics_worked_out_on_paper():
    # FNR meets FPR exactly at the threshold 0.6.
    assert eer(SCORES, LABELS) == pytest.approx(0.5, abs=1e-12)
    assert eer_legacy(SCORES, LABELS) == pytest.approx(0.5, abs=1e-12)
    # P = 0.5: the least of (FNR + FPR) / 2 / 0.5 = FNR + FPR is 0.75, at threshold 0.2 or 0.9.
    assert min_dcf(SCORES, LABELS, prior=0.5) == pytest.approx(0.75, abs=1e-12)
    # P = 0.01: a false alarm costs 99 times a miss; at 0.9 there is none, and 3/4 are missed.
    assert min_dcf(SCORES, LABELS, prior=0.01) == pytest.approx(0.75, abs=1e-12)


def test_eer_is_interpolated_between_two_thresholds():
    # Two targets 1, 3 and three non-targets 0, 2, 2: thresholds 0, 1, 2, 3, inf give
    # FNR 0, 0, 1/2, 1/2, 1 and FPR 1, 2/3, 2/3, 0, 0. The gap goes from -1/6 to 1/2 at 3.
    scores, labels = np.array([1, 3, 0, 2, 2]), np.array([1, 1, 0, 0, 0], dtype=bool)
    assert eer(scores, labels) == pytest.approx(0.5, abs=1e-12)
    # A third target at 2 makes FNR 0, 0, 1/3, 2/3, 1: the gap goes from -1/3 to 2/3 and is 0
    # after a third of the step, where FNR is 1/3 + (1/3) (1/3) = 4/9.
    scores, labels = np.append(scores, 2), np.append(labels, True)
    assert eer(scores, labels) == pytest.approx(4 / 9, abs=1e-12)


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
    curve = det_points(scores, labels, weights)
    np.testing.assert_allclose(np.stack([curve.fnr, curve.fpr], 1), rates, rtol=0, atol=1e-12)
    assert eer(scores, labels, weights) == pytest.approx(brute_force_eer(rates), abs=1e-12)
    costs = [(0.05 * fnr + 0.95 * fpr) / 0.05 for fnr, fpr in rates]
    assert min_dcf(scores, labels, 0.05, weights) == pytest.approx(min(costs), abs=1e-12)
    distances = [abs(fnr - fpr) for fnr, fpr in rates[:-1]]
    assert eer_legacy(scores, labels, weights) == rates[distances.index(min(distances))][0]


@given(scored_trials(weights=True))
def test_agrees_with_sklearn_roc_curve(parts):
    scores, labels, weights = parts
    fpr, tpr, thresholds = roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    curve = det_points(scores, labels, weights)
    order = np.searchsorted(curve.thresholds, thresholds)
    np.testing.assert_array_equal(curve.thresholds[order], thresholds)
    np.testing.assert_allclose(curve.fpr[order], fpr, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.fnr[order], 1 - tpr, rtol=0, atol=1e-12)


@given(scored_trials())
def test_any_rising_map_of_the_scores_changes_nothing(parts):
    scores, labels = parts
    mapped = np.exp(scores) + 3 * scores - 7
    for metric in (eer, eer_legacy, lambda s, y: min_dcf(s, y, 0.01)):
        assert metric(mapped, labels) == metric(scores, labels)


@given(scored_trials(), st.randoms(use_true_random=False))
def test_the_order_of_trials_changes_nothing(parts, random):
    scores, labels = parts
    places = list(range(len(scores)))
    random.shuffle(places)
    for metric in (eer, eer_legacy, lambda s, y: min_dcf(s, y, 0.05)):
        assert metric(scores[places], labels[places]) == metric(scores, labels)


@given(scored_trials())
def test_turning_scores_and_labels_around_keeps_the_eer(parts):
    scores, labels = parts
    assert eer(-scores, ~labels) == pytest.approx(eer(scores, labels), abs=1e-12)


@given(scored_trials(weights=True))
def test_integer_weights_equal_physical_repetition(parts):
    scores, labels, weights = parts
    times = weights.astype(int)
    repeated, relabelled = np.repeat(scores, times), np.repeat(labels, times)
    # Trials of weight 0 keep their thresholds, where no rate moves: the metrics agree exactly.
    assert eer(scores, labels, weights) == eer(repeated, relabelled)
    assert min_dcf(scores, labels, 0.01, weights) == min_dcf(repeated, relabelled, 0.01)


@given(scored_trials(), st.sampled_from([0.01, 0.05, 0.5, 0.9]))
def test_detection_cost_is_between_0_and_1(parts, prior):
    assert 0 <= min_dcf(*parts, prior) <= 1


@given(scored_trials(weights=True))
def test_many_weightings_at_once_equal_one_by_one(parts):
    scores, labels, weights = parts
    rows = np.stack([weights, np.ones_like(weights), weights + 1])
    ranked = rank_trials(scores, labels)
    curve = error_curve(ranked, rows[:, ranked.order])
    assert equal_error_rate(curve).tolist() == [eer(scores, labels, row) for row in rows]
    assert minimum_detection_cost(curve, 0.05).tolist() == [
        min_dcf(scores, labels, 0.05, row) for row in rows
    ]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(bad):
    with pytest.raises(TrialError, match=rf"finite, got {bad} at trial 2; 1 of 4 trials"):
        eer(np.array([0.1, 0.2, bad, 0.4]), np.array([True, False, True, False]))


@pytest.mark.parametrize(
    ("labels", "counts"), [([1, 1, 1], "3 target and 0"), ([0, 0], "0 target and 2")]
)
def test_one_kind_of_trial_is_refused(labels, counts):
    with pytest.raises(TrialError, match=f"got {counts} non-target; check the speakers"):
        eer(np.arange(len(labels)), np.array(labels, dtype=bool))


def test_weights_that_leave_nothing_are_refused():
    labels = np.array([True, False])
    with pytest.raises(TrialError, match="must not all be 0"):
        eer(np.array([1.0, 0.0]), labels, weights=np.array([0.0, 1.0]))
    with pytest.raises(TrialError, match="at least 0"):
        eer(np.array([1.0, 0.0]), labels, weights=np.array([1.0, -1.0]))


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
