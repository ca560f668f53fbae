"""Score files give every metric back to the last bit, whatever the utterances are called."""

import csv
import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.errors import ArtifactError
from fhvae.trials import det_points, eer, pairs_of
from fhvae.verification.error_rates import minimum_detection_cost
from fhvae.verification.scores import as_written, read_scores, write_scores, write_trials
from tests.latent_factory import make_utterances
from tests.score_lists import every_pair


def ids_of(path):
    """The pairs of a file, by another reader of tables than the library's."""
    with path.open(newline="", encoding="utf-8") as lines:
        return [tuple(row[:2]) for row in csv.reader(lines, delimiter="\t")][1:]


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_a_score_file_gives_the_metrics_back_to_the_last_bit(tmp_path, precision):
    trials = every_pair(make_utterances("test", 4, 3))
    random = np.random.default_rng(5)
    raw = (random.normal(size=len(trials)) + trials.is_target).astype(precision) / 3
    scores = as_written(raw)
    write_scores(tmp_path / "scores.tsv", trials, scores)
    back = read_scores(tmp_path / "scores.tsv")
    np.testing.assert_array_equal(back.scores, scores)
    np.testing.assert_array_equal(back.is_target, trials.is_target)
    assert eer(back.scores, back.is_target) == eer(scores, trials.is_target)
    costs = [
        minimum_detection_cost(det_points(one, trials.is_target), 0.01)
        for one in (back.scores, scores)
    ]
    assert costs[0] == costs[1]
    ids = np.array(trials.utterance_ids)
    expected = zip(ids[trials.enrol].tolist(), ids[trials.test].tolist(), strict=True)
    assert ids_of(tmp_path / "scores.tsv") == list(expected)


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
    write_scores(tmp_path / "scores.tsv", trials, np.array([1.0, 2.0, 3.0]))
    assert (tmp_path / "scores.tsv").read_bytes().count(b"\n") == 4
    first, second, third = trials.utterance_ids
    assert ids_of(tmp_path / "scores.tsv") == [(first, second), (first, third), (second, third)]
    assert read_scores(tmp_path / "scores.tsv").scores.tolist() == [1, 2, 3]


def test_utterances_named_like_missing_values_survive(tmp_path):
    trials = pairs_of(["NA", "null", "u"], ["a", "a", "b"])
    write_scores(tmp_path / "scores.tsv", trials, np.array([1.0, 2.0, 3.0]))
    assert ids_of(tmp_path / "scores.tsv") == [("NA", "null"), ("NA", "u"), ("null", "u")]
    assert read_scores(tmp_path / "scores.tsv").is_target.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "must exist; rerun the stage verify"),
        ("enrol\ttest\tlabel\nu1\tu2\ttarget\n", "column score must be there once"),
        ("enrol\ttest\tlabel\tscore\nu1\tu2\ttarget\thigh\n", "row 2: score must be a finite"),
        ("enrol\ttest\tlabel\tscore\nu1\tu2\ttarget\tnan\n", "row 2: score must be a finite"),
        ("enrol\ttest\tlabel\tscore\nu1\tu2\tmaybe\t1\n", "label must be one of nontarget, target"),
        ("enrol\ttest\tlabel\tscore\nu1\tu2\ttarget\t1\n", "must hold target and non-target"),
    ],
)
def test_a_broken_score_file_is_named(tmp_path, text, message):
    if text is not None:
        (tmp_path / "scores.tsv").write_text(text)
    with pytest.raises(ArtifactError, match=message) as caught:
        read_scores(tmp_path / "scores.tsv")
    assert "scores.tsv" in str(caught.value)
