"""Counts of all pairs, and score files that give every metric back to the last bit."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.errors import ArtifactError, TrialError
from fhvae.params.whole import load_params
from fhvae.trials.error_rates import eer
from fhvae.trials.pairs import pairs_of
from fhvae.verification.detection_cost import min_dcf
from fhvae.verification.trials import (
    all_pairs,
    as_written,
    read_scores,
    trial_lines,
    write_scores,
    write_trials,
)
from tests.latent_factory import make_utterances


@pytest.mark.parametrize(
    ("speakers", "each", "targets", "nontargets"),
    [
        pytest.param(24, 8, 672, 17_664, id="timit-core-test"),
        pytest.param(16, 8, 448, 7_680, id="nltk-sample"),
        pytest.param(2, 2, 2, 4, id="smallest"),
    ],
)
def test_all_pairs_has_the_known_counts(speakers, each, targets, nontargets):
    trials = all_pairs(make_utterances("test", speakers, each))
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
    trials = all_pairs(utterances[::-1])
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
    expected, trials = all_pairs(make_utterances("test", 3, 2)), all_pairs(shuffled)
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


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_a_score_file_gives_the_metrics_back_to_the_last_bit(tmp_path, precision):
    trials = all_pairs(make_utterances("test", 4, 3))
    random = np.random.default_rng(5)
    raw = (random.normal(size=len(trials)) + trials.is_target).astype(precision) / 3
    scores = as_written(raw)
    write_scores(tmp_path / "scores.tsv", trials, scores)
    back = read_scores(tmp_path / "scores.tsv")
    np.testing.assert_array_equal(back.scores, scores)
    np.testing.assert_array_equal(back.is_target, trials.is_target)
    assert eer(back.scores, back.is_target) == eer(scores, trials.is_target)
    assert min_dcf(back.scores, back.is_target, 0.01) == min_dcf(scores, trials.is_target, 0.01)
    ids = trials.utterance_ids
    assert back.enrol == tuple(ids[place] for place in trials.enrol)
    assert back.test == tuple(ids[place] for place in trials.test)


@given(st.floats(allow_nan=False, allow_infinity=False, width=64))
def test_rounding_keeps_nine_digits_and_is_done_once(score):
    rounded = as_written(np.array([score]))
    assert abs(rounded[0] - score) <= 5.1e-9 * abs(score)
    assert as_written(rounded)[0] == rounded[0]


def test_the_score_file_is_four_columns_of_text(tmp_path):
    trials = pairs_of(["u1", "u2", "u3"], ["a", "a", "b"])
    write_scores(tmp_path / "scores.tsv", trials, as_written(np.array([1 / 3, -2e-12, 1.0])))
    assert (tmp_path / "scores.tsv").read_text() == (
        "enrol\ttest\tlabel\tscore\n"
        "u1\tu2\ttarget\t0.333333333\n"
        "u1\tu3\tnontarget\t-2e-12\n"
        "u2\tu3\tnontarget\t1\n"
    )


def test_the_trial_file_is_named_by_its_content(tmp_path):
    trials = pairs_of(["u1", "u2", "u3"], ["a", "a", "b"])
    digest = write_trials(tmp_path / "trials.tsv", trials)
    content = (tmp_path / "trials.tsv").read_bytes()
    assert content == (
        b"enrol\ttest\tlabel\nu1\tu2\ttarget\nu1\tu3\tnontarget\nu2\tu3\tnontarget\n"
    )
    assert digest == hashlib.sha256(content).hexdigest()
    other = write_trials(tmp_path / "other.tsv", pairs_of(["u1", "u2", "u3"], ["a", "b", "b"]))
    assert other != digest


def test_an_odd_id_is_quoted_and_comes_back(tmp_path):
    trials = pairs_of(['say "hi"', "u\u2028v", "w"], ["a", "a", "b"])
    assert len(trial_lines(trials)) == 3
    write_scores(tmp_path / "scores.tsv", trials, np.array([1.0, 2.0, 3.0]))
    assert read_scores(tmp_path / "scores.tsv").enrol == ('say "hi"', 'say "hi"', "u\u2028v")


def test_some_trials_can_be_taken():
    trials = pairs_of(["u1", "u2", "u3", "u4"], ["a", "a", "b", "b"])
    taken = trials.take(np.array([True, True, False, False, False, False]))
    assert (taken.enrol.tolist(), taken.test.tolist()) == ([0, 0], [1, 2])
    assert taken.speaker_names == ("a", "b")
    with pytest.raises(TrialError, match="got 1 target and 0 non-target"):
        trials.take(np.arange(6) == 0)


def test_utterances_named_like_missing_values_survive(tmp_path):
    trials = pairs_of(["NA", "null", "u"], ["a", "a", "b"])
    write_scores(tmp_path / "scores.tsv", trials, np.array([1.0, 2.0, 3.0]))
    assert read_scores(tmp_path / "scores.tsv").enrol == ("NA", "NA", "null")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "must exist; rerun the stage verify"),
        ("enrol\ttest\tlabel\nu1\tu2\ttarget\n", "is not a score file"),
        ("enrol\ttest\tlabel\tscore\nu1\tu2\ttarget\thigh\n", "is not a score file"),
        ("enrol\ttest\tlabel\tscore\nu1\tu2\tmaybe\t1\n", "labels nontarget or target"),
    ],
)
def test_a_broken_score_file_is_named(tmp_path, text, message):
    if text is not None:
        (tmp_path / "scores.tsv").write_text(text)
    with pytest.raises(ArtifactError, match=message) as caught:
        read_scores(tmp_path / "scores.tsv")
    assert "scores.tsv" in str(caught.value)
