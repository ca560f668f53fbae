"""Vectors of utterances: statistics by hand, and the same utterances on both sides."""

import numpy as np
import pytest

from fhvae.artifacts import Packed
from fhvae.errors import ArtifactError
from fhvae.trials.cosine import Vectors
from fhvae.verification.vectors import (
    check_same_utterances,
    frame_statistics,
    latent_vectors,
    packed_vectors,
    random_vectors,
)
from tests.latent_factory import Z1, Z2, make_latents, make_utterances


def test_frame_statistics_by_hand():
    frames = Packed(
        rows=np.array([[9, 9, 9], [1, 2, 3], [3, 2, -1]], dtype=np.float32),
        utterance_ids=("b", "a"),  # packed in another order than sorted
        offsets=np.array([0, 1]),
        lengths=np.array([1, 2]),
    )
    vectors = frame_statistics(frames)
    assert vectors.utterance_ids == ("a", "b")
    np.testing.assert_array_equal(vectors.values, [[2, 2, 1, 1, 0, 2], [9, 9, 9, 0, 0, 0]])


def test_vectors_of_latents():
    latents = make_latents(make_utterances("test", 2, 3), segments=4)
    vectors = latent_vectors(latents)
    assert {name: item.values.shape for name, item in vectors.items()} == {
        "mu2": (6, Z2),
        "z2": (6, Z2),
        "mu1": (6, Z1),
        "z1_stats": (6, 2 * Z1),
    }
    assert all(item.utterance_ids == latents.utterance_ids for item in vectors.values())
    own = latents.z1_mean[4:8]  # of the second utterance
    np.testing.assert_allclose(vectors["mu1"].values[1], own.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(
        vectors["z1_stats"].values[1], np.append(own.mean(axis=0), own.std(axis=0)), rtol=1e-5
    )
    np.testing.assert_allclose(
        vectors["z2"].values[1], latents.z2_mean[4:8].mean(axis=0), rtol=1e-6
    )
    np.testing.assert_array_equal(vectors["mu2"].values, latents.mu2)


def test_packed_vectors_are_sorted_by_utterance():
    rows = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
    packed = Packed(rows, ("c", "a", "b"), np.array([0, 1, 2]), np.array([1, 1, 1]))
    vectors = packed_vectors(packed)
    assert vectors.utterance_ids == ("a", "b", "c")
    np.testing.assert_array_equal(vectors.values, [[3, 4], [5, 6], [1, 2]])


def test_an_utterance_with_two_ivectors_is_named():
    packed = Packed(np.ones((3, 2)), ("a", "b"), np.array([0, 1]), np.array([1, 2]))
    with pytest.raises(ArtifactError, match="utterance b must have one i-vector, found 2"):
        packed_vectors(packed)


def test_random_vectors_are_standard_normal():
    vectors = random_vectors([f"{place}" for place in range(400)], 9, np.random.default_rng(1))
    assert vectors.values.shape == (400, 9)
    assert abs(vectors.values.mean()) < 0.05
    assert abs(vectors.values.std() - 1) < 0.05


def test_take_keeps_ids_and_values_together():
    vectors = Vectors(("a", "b", "c"), np.arange(6.0).reshape(3, 2))
    taken = vectors.take(slice(1, 3))
    assert taken.utterance_ids == ("b", "c")
    np.testing.assert_array_equal(taken.values, [[2, 3], [4, 5]])


@pytest.mark.parametrize(
    ("latents", "frames", "message"),
    [
        (["a", "b"], ["a"], r"b is in latents and not in fbank \(2 and 1 utterances\)"),
        (["a"], ["a", "c", "d"], r"c is in fbank and not in latents \(1 and 3 utterances\)"),
    ],
)
def test_an_utterance_on_one_side_only_is_named(latents, frames, message):
    with pytest.raises(ArtifactError, match=message):
        check_same_utterances(latents, frames)
