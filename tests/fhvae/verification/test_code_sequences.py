"""What the attack reads: codes on one grid, frames averaged by segment."""

import dataclasses

import numpy as np
import pytest

from fhvae.errors import ArtifactError
from fhvae.verification.code_sequences import code_sequences, segment_frame_means
from tests.latent_factory import SEGMENT_FRAMES, SHIFT, make_frames, make_latents, make_utterances


@pytest.fixture
def latents():
    return make_latents(make_utterances("test", 2, 3), segments=4)


def test_frames_are_averaged_over_each_segment_by_a_loop(latents):
    frames = make_frames(latents)
    found = segment_frame_means(latents, frames)
    for place, (_, segments) in enumerate(latents.slices()):
        for number in range(4):
            start = number * SHIFT
            expected = frames[place][start : start + SEGMENT_FRAMES].mean(axis=0)
            np.testing.assert_allclose(found[segments][number], expected, rtol=1e-4, atol=1e-6)


def test_codes_are_named_and_on_one_grid(latents):
    untrained = make_latents(make_utterances("test", 2, 3), segments=4, seed=7)
    found = code_sequences(latents, untrained, make_frames(latents))
    assert list(found) == ["z1", "z1_without_mu1", "untrained", "fbank"]
    for codes in found.values():
        assert codes.utterance_ids == latents.utterance_ids
        np.testing.assert_array_equal(codes.lengths, 4)
    np.testing.assert_array_equal(found["z1"].rows, latents.z1_mean)
    np.testing.assert_array_equal(found["untrained"].rows, untrained.z1_mean)
    for _, rows in found["z1_without_mu1"].items():
        np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(
        np.diff(found["z1_without_mu1"][0], axis=0), np.diff(found["z1"][0], axis=0), atol=1e-6
    )


def test_frames_in_another_order_are_found_by_name(latents):
    frames = make_frames(latents)
    turned = dataclasses.replace(
        frames,
        utterance_ids=frames.utterance_ids[::-1],
        offsets=frames.offsets[::-1],
        lengths=frames.lengths[::-1],
    )
    np.testing.assert_array_equal(
        segment_frame_means(latents, turned), segment_frame_means(latents, frames)
    )


def test_other_utterances_or_another_grid_are_refused(latents):
    frames = make_frames(latents)
    fewer = make_latents(make_utterances("test", 2, 2), segments=4)
    with pytest.raises(ArtifactError, match="test00_02 is in latents and not in controls"):
        code_sequences(latents, fewer, frames)
    finer = make_latents(make_utterances("test", 2, 3), segments=5)
    with pytest.raises(ArtifactError, match="24 and 30 segments; rerun controls"):
        code_sequences(latents, finer, frames)
