"""Information, folding and intervals of probes, with answers known beforehand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.intervals import Interval, rate_interval, t_interval
from fhvae.probes.scores import (
    Answers,
    entropy_bits,
    fold,
    macro_f1,
    one_minus,
    row_interval,
    score_classes,
    score_numbers,
    share_interval,
    surprise_bits,
)

pytestmark = pytest.mark.usefixtures("few_speakers_suffice")

SMOOTHING = 1e-3
LABELS = np.array(["a", "b", "c", "a", "b", "a", "a", "b"])  # entropy known: 4, 3, 1 of 8
SPEAKERS = np.array(["s", "s", "s", "s", "t", "t", "u", "u"])
ENTROPY = 4 / 8 * 1 + 3 / 8 * np.log2(8 / 3) + 1 / 8 * 3


def one_hot(labels, classes=("a", "b", "c")):
    classes = np.array(classes)
    return Answers((np.asarray(labels)[:, None] == classes).astype(float), classes)


def test_entropy_is_that_of_the_counts():
    assert entropy_bits(LABELS) == pytest.approx(ENTROPY)
    assert entropy_bits(np.array(["a", "b", "c", "d"])) == 2


def test_perfect_answers_give_all_the_information_but_the_uniform_share():
    scores = score_classes(one_hot(LABELS), LABELS, SPEAKERS, SMOOTHING)
    assert (scores.accuracy.value, scores.macro_f1) == (1.0, 1.0)
    cost = -np.log2(1 - SMOOTHING + SMOOTHING / 3)
    assert scores.cross_entropy_bits == pytest.approx(cost)
    assert scores.information.value == pytest.approx(1 - cost / ENTROPY)


@given(st.lists(st.floats(0.001, 1), min_size=3, max_size=3))
def test_an_answer_that_never_looks_at_the_code_has_no_information(weights):
    """Gibbs' inequality: no constant answer beats how often the labels occur."""
    constant = np.array(weights) / sum(weights)
    answers = Answers(np.tile(constant, (len(LABELS), 1)), np.array(["a", "b", "c"]))
    scores = score_classes(answers, LABELS, SPEAKERS, SMOOTHING)
    assert scores.information.value <= 1e-12


def test_the_best_constant_answer_has_exactly_none_but_the_uniform_share():
    constant = np.tile(np.array([4, 3, 1]) / 8, (8, 1))
    answers = Answers(constant, np.array(["a", "b", "c"]))
    scores = score_classes(answers, LABELS, SPEAKERS, SMOOTHING)
    assert -1e-3 < scores.information.value <= 0


def test_a_wrong_certain_answer_costs_much_but_not_infinity():
    for share in (SMOOTHING, 0.25):
        bits = surprise_bits(one_hot(["b"]), np.array(["a"]), share)
        assert bits.tolist() == pytest.approx([np.log2(3 / share)])


def test_a_label_that_was_never_fitted_gets_the_uniform_share_of_all_classes():
    for unseen in ("aa", "zz"):  # sorted before, and after, all classes
        bits = surprise_bits(one_hot(["b"], ("b", "c")), np.array([unseen]), SMOOTHING)
        assert bits.tolist() == pytest.approx([np.log2(3 / SMOOTHING)])


def test_folding_adds_probabilities():
    answers = Answers(np.array([[0.2, 0.3, 0.5]]), np.array(["cl", "iy", "vcl"]))
    folded = fold(answers, {"cl": "sil", "vcl": "sil"})
    assert folded.classes.tolist() == ["iy", "sil"]
    assert folded.probabilities.tolist() == [pytest.approx([0.3, 0.7])]
    assert answers.labels.tolist() == ["vcl"]
    assert folded.labels.tolist() == ["sil"]
    assert fold(answers, {}).classes.tolist() == ["cl", "iy", "vcl"]


def test_macro_f1_counts_each_label_the_same():
    # a: 3 of 3 said right, 1 false alarm: F1 6/7; b: 1 hit of 2, none false: 2/3
    labels = np.array(["a", "a", "a", "b", "b"])
    said = np.array(["a", "a", "a", "a", "b"])
    assert macro_f1(said, labels) == pytest.approx((6 / 7 + 2 / 3) / 2)


def test_rows_of_a_speaker_are_left_out_together():
    # Speaker x: 4 of 4 right, y: 1 of 2, z: 0 of 2; without each 1/4, 4/6, 5/6.
    right = np.array([1.0, 1, 1, 1, 1, 0, 0, 0])
    speakers = np.array(["x", "x", "x", "x", "y", "y", "z", "z"])
    expected = t_interval(5 / 8, np.array([1 / 4, 4 / 6, 5 / 6]))
    assert row_interval(right, speakers) == expected
    share = share_interval(right == 1, speakers)
    assert share == rate_interval(5 / 8, np.array([1 / 4, 4 / 6, 5 / 6]), 8)
    assert 0 < share.low < share.value < share.high < 1


def test_the_ends_of_an_error_change_places():
    share = one_minus(Interval(1.0, 0.5, 3.0), 2.0)
    assert (share.value, share.low, share.high) == (0.5, -0.5, 0.75)


def test_r2_of_the_truth_is_one_and_of_the_mean_zero():
    truth = np.array([1.0, 2, 3, 4, 7, 1, 0, 2])
    assert score_numbers(truth, truth, SPEAKERS).value == 1
    mean = np.full(8, truth.mean())
    found = score_numbers(mean, truth, SPEAKERS)
    assert (found.value, found.low, found.high) == (0, 0, 0)
    assert score_numbers(mean + 1, truth, SPEAKERS).value < 0
