"""AS-norm: by hand, its symmetry, and cohorts that are too small or do not spread."""

import numpy as np
import pytest

from fhvae.errors import TrialError
from fhvae.trials.cosine import Vectors
from fhvae.trials.pairs import pairs_of
from fhvae.verification.score_normalization import check_cohort, normalize_scores, speaker_means

TRIALS = pairs_of(["u1", "u2", "u3"], ["a", "a", "b"])  # (1, 2), (1, 3), (2, 3)
AGAINST = np.array([[0.0, 1, 4, 8, -9], [2, 2, 0, 6, 0], [-1, -1, -1, -1, -1.0]])


def test_by_hand():
    # Half of five is two: the highest are 8, 4 (mean 6, std 2), 6, 2 (4, 2) and -1, -1 (-1, 0).
    found = normalize_scores(np.array([7.0, 5, 3]), AGAINST, TRIALS)
    expected = [((7 - 6) / 2 + (7 - 4) / 2) / 2, ((5 - 6) / 2 + 6) / 2, ((3 - 4) / 2 + 4) / 2]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_side_of_an_utterance_does_not_matter():
    turned = pairs_of(["u1", "u2", "u3"], ["a", "a", "b"])
    swapped = type(turned)(
        turned.utterance_ids, turned.speaker_names, turned.speakers, turned.test, turned.enrol
    )
    scores = np.array([7.0, 5, 3])
    np.testing.assert_array_equal(
        normalize_scores(scores, AGAINST, TRIALS), normalize_scores(scores, AGAINST, swapped)
    )


def test_at_most_a_hundred_of_the_cohort_count():
    against = np.tile(np.concatenate([np.full(200, -1e6), np.arange(100.0)]), (3, 1))
    found = normalize_scores(np.zeros(3), against, TRIALS)
    spread = np.arange(100.0).std()
    np.testing.assert_allclose(found, -49.5 / spread, atol=1e-12)


def test_the_cohort_is_the_mean_of_each_speaker():
    vectors = Vectors(("u1", "u2", "u3"), np.array([[1.0, 2], [10, 10], [3, 4]]))
    cohort = speaker_means(vectors, ["b", "a", "b"])
    assert cohort.utterance_ids == ("a", "b")
    np.testing.assert_array_equal(cohort.values, [[10, 10], [2, 3]])


def test_a_small_cohort_is_refused():
    check_cohort(Vectors(("a", "b", "c", "d"), np.ones((4, 2))))
    with pytest.raises(TrialError, match="at least 4 train speakers, found 3"):
        check_cohort(Vectors(("a", "b", "c"), np.ones((3, 2))))
