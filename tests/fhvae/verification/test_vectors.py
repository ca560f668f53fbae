"""Vectors of utterances: statistics by hand, and the same utterances on both sides."""

import numpy as np
import pytest

from fhvae.artifacts import Packed
from fhvae.errors import ArtifactError
from fhvae.verification.vectors import check_same_utterances, frame_statistics, utterance_vectors
from tests.latent_factory import MELS, Z1, Z2, make_frames, make_latents, make_utterances


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


def test_three_vectors_of_the_same_utterances():
    latents = make_latents(make_utterances("test", 2, 3), segments=4)
    vectors = utterance_vectors(latents, make_frames(latents))
    assert {name: item.values.shape for name, item in vectors.items()} == {
        "mu2": (6, Z2),
        "mu1": (6, Z1),
        "fbank": (6, 2 * MELS),
    }
    assert all(item.utterance_ids == latents.utterance_ids for item in vectors.values())
    np.testing.assert_allclose(
        vectors["mu1"].values[1], latents.z1_mean[4:8].mean(axis=0), rtol=1e-6
    )
    np.testing.assert_array_equal(vectors["mu2"].values, latents.mu2)


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
