"""Pairs, cosines and the EER: counts, by hand, by brute force, by sklearn, by invariance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from fhvae.errors import TrialError
from fhvae.params.whole import load_params
from fhvae.trials import (
    Vectors,
    cosine_eer,
    cosine_scores,
    cosines,
    det_points,
    deviates,
    eer,
    equal_error_rate,
    error_curve,
    pairs_of,
    rank_trials,
)
from tests.latent_factory import make_utterances
from tests.score_lists import (
    brute_force_eer,
    brute_force_rates,
    every_pair,
    scored_trials,
    weighted_curve,
    weighted_eer,
)


@pytest.mark.parametrize(
    ("speakers", "each", "targets", "nontargets"),
    [
        pytest.param(24, 8, 672, 17_664, id="timit-core-test"),
        pytest.param(16, 8, 448, 7_680, id="nltk-sample"),
        pytest.param(2, 2, 2, 4, id="smallest"),
    ],
)
def test_all_pairs_has_the_known_counts(speakers, each, targets, nontargets):
    trials = every_pair(make_utterances("test", speakers, each))
    assert len(trials) == targets + nontargets
    assert int(trials.is_target.sum()) == targets


def test_the_default_corpus_has_the_papers_trials():
    """24 speakers with 8 utterances each, by the function that the stage calls."""
    size = load_params().corpus.espeak
    utterances = make_utterances("test", size.test_speakers, size.test_utterances)
    names = [item.utterance_id for item in utterances]
    trials = pairs_of(names, [item.speaker for item in utterances])
    assert len(trials) == 18_336
    assert int(trials.is_target.sum()) == 672


def test_all_pairs_of_three_utterances_by_hand():
    utterances = make_utterances("test", 2, 2)[:3]  # two of test00, one of test01
    trials = every_pair(utterances[::-1])
    ids = np.array(trials.utterance_ids)
    pairs = list(zip(ids[trials.enrol].tolist(), ids[trials.test].tolist(), strict=True))
    assert pairs == [
        ("test00_00", "test00_01"),
        ("test00_00", "test01_00"),
        ("test00_01", "test01_00"),
    ]
    assert trials.is_target.tolist() == [True, False, False]
    assert trials.speaker_names == ("test00", "test01")
    assert trials.enrol_speakers.tolist() == [0, 0, 0]
    assert trials.test_speakers.tolist() == [0, 1, 1]


@given(st.permutations(make_utterances("test", 3, 2)))
def test_the_order_of_utterances_changes_nothing(shuffled):
    expected, trials = every_pair(make_utterances("test", 3, 2)), every_pair(shuffled)
    assert trials.utterance_ids == expected.utterance_ids
    np.testing.assert_array_equal(trials.enrol, expected.enrol)
    np.testing.assert_array_equal(trials.is_target, expected.is_target)


@pytest.mark.parametrize(
    ("speakers", "found"),
    [(["a", "b", "c"], "0 target and 3"), (["a", "a", "a"], "3 target and 0")],
)
def test_one_kind_of_trial_is_refused(speakers, found):
    with pytest.raises(TrialError, match=f"got {found} non-target"):
        pairs_of(["u1", "u2", "u3"], speakers)


def test_some_trials_can_be_taken():
    trials = pairs_of(["u1", "u2", "u3", "u4"], ["a", "a", "b", "b"])
    taken = trials.take(np.array([True, True, False, False, False, False]))
    assert (taken.enrol.tolist(), taken.test.tolist()) == ([0, 0], [1, 2])
    assert taken.speaker_names == ("a", "b")
    with pytest.raises(TrialError, match="got 1 target and 0 non-target"):
        trials.take(np.arange(6) == 0)


NAMES = ("u1", "u2", "u3")
TRIALS = pairs_of(NAMES, ["a", "a", "b"])


def test_cosine_by_hand():
    vectors = Vectors(NAMES, np.array([[1.0, 0.0], [3.0, 4.0], [0.0, -2.0]]))
    np.testing.assert_allclose(cosine_scores(vectors, TRIALS), [0.6, 0.0, -0.8], atol=1e-15)


def test_cosine_ignores_lengths():
    values = np.random.default_rng(0).normal(size=(3, 4))
    scaled = values * np.array([[0.1], [7.0], [1e6]])
    np.testing.assert_allclose(
        cosine_scores(Vectors(NAMES, scaled), TRIALS),
        cosine_scores(Vectors(NAMES, values), TRIALS),
        atol=1e-14,
    )


@pytest.mark.parametrize(("bad", "found"), [(0.0, "0.0"), (np.nan, "nan"), (np.inf, "inf")])
def test_a_vector_without_direction_is_named(bad, found):
    values = np.array([[1.0, 2.0], [bad, bad], [3.0, 1.0]])
    with pytest.raises(TrialError, match=f"utterance u2: .*its length is {found}"):
        cosine_scores(Vectors(NAMES, values), TRIALS)


def test_vectors_in_another_order_are_refused():
    with pytest.raises(ValueError, match="same utterances"):
        cosine_scores(Vectors(("u2", "u1", "u3"), np.ones((3, 2))), TRIALS)


def test_cosines_of_two_sets():
    left = Vectors(("u1", "u2"), np.array([[1.0, 0], [3, 4]]))
    right = Vectors(("a", "b", "c"), np.array([[0, 2.0], [5, 0], [-3, -4]]))
    np.testing.assert_allclose(cosines(left, right), [[0, 1, -0.6], [0.8, 0.6, -1]], atol=1e-15)


def test_take_keeps_ids_and_values_together():
    vectors = Vectors(("a", "b", "c"), np.arange(6.0).reshape(3, 2))
    taken = vectors.take(slice(1, 3))
    assert taken.utterance_ids == ("b", "c")
    np.testing.assert_array_equal(taken.values, [[2, 3], [4, 5]])


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


def test_eer_worked_out_on_paper():
    # FNR meets FPR exactly at the threshold 0.6.
    assert eer(SCORES, LABELS) == pytest.approx(0.5, abs=1e-12)


def test_eer_is_interpolated_between_two_thresholds():
    # Two targets 1, 3 and three non-targets 0, 2, 2: thresholds 0, 1, 2, 3, inf give
    # FNR 0, 0, 1/2, 1/2, 1 and FPR 1, 2/3, 2/3, 0, 0. The gap goes from -1/6 to 1/2 at 3.
    scores, labels = np.array([1, 3, 0, 2, 2]), np.array([1, 1, 0, 0, 0], dtype=bool)
    assert eer(scores, labels) == pytest.approx(0.5, abs=1e-12)
    # A third target at 2 makes FNR 0, 0, 1/3, 2/3, 1: the gap goes from -1/3 to 2/3 and is 0
    # after a third of the step, where FNR is 1/3 + (1/3) (1/3) = 4/9.
    scores, labels = np.append(scores, 2), np.append(labels, True)
    assert eer(scores, labels) == pytest.approx(4 / 9, abs=1e-12)


@given(scored_trials(weights=True))
def test_agrees_with_brute_force(parts):
    scores, labels, weights = parts
    rates = brute_force_rates(scores, labels, weights)
    curve = weighted_curve(scores, labels, weights)
    np.testing.assert_allclose(np.stack([curve.fnr, curve.fpr], 1), rates, rtol=0, atol=1e-12)
    assert float(equal_error_rate(curve)) == pytest.approx(brute_force_eer(rates), abs=1e-12)


@given(scored_trials(weights=True))
def test_agrees_with_sklearn_roc_curve(parts):
    scores, labels, weights = parts
    fpr, tpr, thresholds = roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    curve = weighted_curve(scores, labels, weights)
    order = np.searchsorted(curve.thresholds, thresholds)
    np.testing.assert_array_equal(curve.thresholds[order], thresholds)
    np.testing.assert_allclose(curve.fpr[order], fpr, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.fnr[order], 1 - tpr, rtol=0, atol=1e-12)


@given(scored_trials())
def test_any_rising_map_of_the_scores_changes_nothing(parts):
    scores, labels = parts
    mapped = np.exp(scores) + 3 * scores - 7
    assert eer(mapped, labels) == eer(scores, labels)


@given(scored_trials(), st.randoms(use_true_random=False))
def test_the_order_of_trials_changes_nothing(parts, random):
    scores, labels = parts
    places = list(range(len(scores)))
    random.shuffle(places)
    assert eer(scores[places], labels[places]) == eer(scores, labels)


@given(scored_trials())
def test_turning_scores_and_labels_around_keeps_the_eer(parts):
    scores, labels = parts
    assert eer(-scores, ~labels) == pytest.approx(eer(scores, labels), abs=1e-12)


@given(scored_trials(weights=True))
def test_integer_weights_equal_physical_repetition(parts):
    scores, labels, weights = parts
    times = weights.astype(int)
    repeated, relabelled = np.repeat(scores, times), np.repeat(labels, times)
    # Trials of weight 0 keep their thresholds, where no rate moves: the rates agree exactly.
    assert weighted_eer(scores, labels, weights) == eer(repeated, relabelled)


@given(scored_trials(weights=True))
def test_many_weightings_at_once_equal_one_by_one(parts):
    scores, labels, weights = parts
    rows = np.stack([weights, np.ones_like(weights), weights + 1])
    ranked = rank_trials(scores, labels)
    curve = error_curve(ranked, rows[:, ranked.order])
    assert equal_error_rate(curve).tolist() == [weighted_eer(scores, labels, row) for row in rows]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused(bad):
    with pytest.raises(TrialError, match=rf"finite, got {bad} at trial 2; 1 of 4 trials"):
        eer(np.array([0.1, 0.2, bad, 0.4]), np.array([True, False, True, False]))


def test_weights_that_leave_nothing_are_refused():
    labels = np.array([True, False])
    with pytest.raises(TrialError, match="must not all be 0"):
        weighted_eer(np.array([1.0, 0.0]), labels, np.array([0.0, 1.0]))
    with pytest.raises(TrialError, match="at least 0"):
        weighted_eer(np.array([1.0, 0.0]), labels, np.array([1.0, -1.0]))


@pytest.mark.parametrize(
    ("labels", "counts"), [([1, 1, 1], "3 target and 0"), ([0, 0], "0 target and 2")]
)
def test_scores_of_one_kind_of_trial_are_refused(labels, counts):
    with pytest.raises(TrialError, match=f"got {counts} non-target; check the speakers"):
        eer(np.arange(len(labels)), np.array(labels, dtype=bool))


def test_rates_become_normal_deviates():
    np.testing.assert_allclose(
        deviates(np.array([0.5, 0.15865525393145707, 0.9772498680518208])), [0, -1, 2], atol=1e-9
    )
    assert np.isfinite(deviates(np.array([0.0, 1.0]))).all()


SPEAKERS = ["b", "a", "b", "c", "a", "c", "b"]


def test_perfect_constant_and_opposite_vectors():
    places = {"a": [1, 0, 0], "b": [0, 1, 0], "c": [0, 0, 1]}
    perfect = np.array([places[speaker] for speaker in SPEAKERS], dtype=np.float32)
    assert cosine_eer(perfect, SPEAKERS) == 0.0
    assert cosine_eer(np.ones((7, 3), dtype=np.float32), SPEAKERS) == 0.5
    opposite = np.array([[1, 0], [-1, 0], [1, 0], [-1, 0]], dtype=np.float32)
    # Both targets score -1, non-targets 1, 1, -1, -1: FNR, FPR go from 0, 1 to 1, 1/2 at once.
    assert cosine_eer(opposite, ["a", "a", "b", "b"]) == pytest.approx(2 / 3)


def test_the_look_while_training_equals_the_long_way():
    vectors = np.random.default_rng(0).normal(size=(7, 4))
    ids = tuple(f"u{place}" for place in range(7))
    trials = pairs_of(ids, SPEAKERS)
    expected = eer(cosine_scores(Vectors(ids, vectors), trials), trials.is_target)
    assert cosine_eer(vectors, SPEAKERS) == expected


@pytest.mark.parametrize(
    ("vectors", "speakers"),
    [
        pytest.param(np.ones((3, 2)), ["a", "a", "a"], id="one-speaker"),
        pytest.param(np.ones((3, 2)), ["a", "b", "c"], id="no-target"),
        pytest.param(np.zeros((3, 2)), ["a", "a", "b"], id="zero-vectors"),
        pytest.param(np.full((3, 2), np.nan), ["a", "a", "b"], id="nan"),
    ],
)
def test_the_look_is_none_where_there_is_no_answer(vectors, speakers):
    assert cosine_eer(vectors, speakers) is None
