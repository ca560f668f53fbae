"""The cheap EER agrees with the long way, and says None where there is no answer."""

import numpy as np
import pytest

from fhvae.trials.cosine import Vectors, cosine_scores
from fhvae.trials.error_rates import eer
from fhvae.trials.monitor import cosine_eer
from fhvae.trials.pairs import pairs_of

SPEAKERS = ["b", "a", "b", "c", "a", "c", "b"]


def test_perfect_constant_and_opposite_vectors():
    places = {"a": [1, 0, 0], "b": [0, 1, 0], "c": [0, 0, 1]}
    perfect = np.array([places[speaker] for speaker in SPEAKERS], dtype=np.float32)
    assert cosine_eer(perfect, SPEAKERS) == 0.0
    assert cosine_eer(np.ones((7, 3), dtype=np.float32), SPEAKERS) == 0.5
    opposite = np.array([[1, 0], [-1, 0], [1, 0], [-1, 0]], dtype=np.float32)
    # Both targets score -1, non-targets 1, 1, -1, -1: FNR, FPR go from 0, 1 to 1, 1/2 at once.
    assert cosine_eer(opposite, ["a", "a", "b", "b"]) == pytest.approx(2 / 3)


def test_equals_the_long_way():
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
def test_none_where_there_is_no_answer(vectors, speakers):
    assert cosine_eer(vectors, speakers) is None
