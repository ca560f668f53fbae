"""Latents of utterances: equal to one segment at a time, sorted, in closed form."""

import dataclasses

import numpy as np
import pytest
import torch

from fhvae.artifacts import Packed
from fhvae.errors import ArtifactError
from fhvae.inference import factor_grid, infer_latents, utterance_posteriors
from fhvae.model.network import FHVAE
from fhvae.model.objective import posteriors
from fhvae.model.weights import TrainedModel
from fhvae.params import ModelParams, SegmentsParams, load_params
from fhvae.seeds import generator

LENGTHS = np.array([9, 17, 12])
NAMES = ("c", "a", "b")


@pytest.fixture(params=["lstm", "gru", "rnn", "dense"])
def trained(request) -> TrainedModel:
    torch.manual_seed(0)
    sizes = ModelParams(
        cell=request.param, layers=1, cells=6, z1=3, z2=2, z1_std=1, z2_std=0.5, mu2_std=1
    )
    network = FHVAE(7, 5, sizes)
    segments = SegmentsParams(frames=5, train_shift=2, shift=4)
    fbank = dataclasses.replace(load_params().fbank, mels=7)
    return TrainedModel(network.requires_grad_(False), segments, fbank)


@pytest.fixture
def packed() -> Packed:
    rows = generator(0, "frames").standard_normal((LENGTHS.sum(), 7)).astype(np.float32)
    return Packed(rows, NAMES, np.cumsum(LENGTHS) - LENGTHS, LENGTHS)


@pytest.mark.parametrize("shift", [1, 3, 5])
def test_one_call_equals_one_segment_at_a_time(trained, packed, shift):
    frames = torch.from_numpy(packed[1])
    found = utterance_posteriors(trained, frames, shift)
    starts = range(0, 17 - 5 + 1, shift)
    assert len(found.z1.mean) == len(starts)
    for row, start in enumerate(starts):
        alone = posteriors(trained.network, frames[start : start + 5, None])
        torch.testing.assert_close(found.z1.mean[row], alone.z1.mean[0])
        torch.testing.assert_close(found.z2.log_variance[row], alone.z2.log_variance[0])


def test_latents_are_sorted_by_utterance_and_cover_every_segment(trained, packed):
    latents = infer_latents(trained, packed, shift=4)
    assert latents.utterance_ids == ("a", "b", "c")
    assert latents.lengths.tolist() == [4, 2, 2]
    assert latents.starts.tolist() == [0, 4, 8, 12, 0, 4, 0, 4]
    assert latents.z1_mean.shape == (8, 3)
    assert latents.z2_log_variance.shape == (8, 2)
    assert latents.centre_frames.tolist() == [2, 6, 10, 14, 2, 6, 2, 6]


def test_mu2_and_mu1_by_hand(trained, packed):
    latents = infer_latents(trained, packed, shift=4)
    for row, (_, part) in enumerate(latents.slices()):
        count = part.stop - part.start
        expected = latents.z2_mean[part].sum(axis=0) / (count + 0.25)
        np.testing.assert_allclose(latents.mu2[row], expected, rtol=1e-5)
        np.testing.assert_allclose(
            latents.mu1[row], latents.z1_mean[part].mean(axis=0), rtol=1e-4, atol=1e-6
        )


def test_frames_of_another_width_are_refused(trained):
    packed = Packed(np.zeros((9, 8), np.float32), ("a",), np.array([0]), np.array([9]))
    with pytest.raises(ArtifactError, match="model's 7 mel bands, got 8"):
        infer_latents(trained, packed, shift=1)


def test_factor_grid_has_reconstructions_on_its_diagonal(trained, packed):
    segments = torch.from_numpy(np.stack([packed[p][:5] for p in range(3)], axis=1))
    found = factor_grid(trained, segments)
    assert found.grid.shape == (3, 3, 5, 7)
    inferred = posteriors(trained.network, segments)
    for i in range(3):
        for j in range(3):
            decoded = trained.network.decode(
                inferred.z1.mean[i : i + 1], inferred.z2.mean[j : j + 1], 5
            )
            np.testing.assert_allclose(
                found.grid[i, j], decoded.mean[:, 0].numpy(), rtol=1e-4, atol=1e-5
            )
    np.testing.assert_array_equal(found.reconstructions[1], found.grid[1, 1])
    np.testing.assert_array_equal(found.originals[2], packed[2][:5])
