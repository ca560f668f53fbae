"""A model of a few cells, and one whose decoder says z2: its gains are known."""

import numpy as np
import pytest
import torch

from fhvae.features.normalize import Normalizer
from fhvae.model.gaussian import DiagonalGaussian
from fhvae.model.network import FHVAE
from fhvae.model.weights import TrainedModel
from fhvae.params.segments import SegmentsParams
from tests.params_factory import MELS, fbank_params, model_params

SEGMENTS = SegmentsParams(frames=5, train_shift=2, shift=4)
STD = 0.5


@pytest.fixture
def trained():
    torch.manual_seed(0)
    network = FHVAE(MELS, SEGMENTS.frames, model_params()).eval().requires_grad_(False)
    normalizer = Normalizer(np.full(MELS, -3.0), np.full(MELS, 2.0))
    return TrainedModel(network, SEGMENTS, fbank_params(), normalizer=normalizer)


class Telling(FHVAE):
    """Networks whose decoder gives the first dimension of z2 in every band."""

    def encode_z2(self, segments):
        z2 = torch.zeros(segments.shape[1], 2)
        return DiagonalGaussian(z2, z2)

    def encode_z1(self, segments, z2):
        z1 = torch.zeros(segments.shape[1], 3)
        return DiagonalGaussian(z1, z1)

    def decode(self, z1, z2, frames):
        mean = z2[None, :, :1].expand(frames, len(z2), MELS)
        return DiagonalGaussian(mean, mean)


@pytest.fixture
def telling():
    normalizer = Normalizer(np.zeros(MELS), np.full(MELS, STD))
    return TrainedModel(
        Telling(MELS, SEGMENTS.frames, model_params()),
        SEGMENTS,
        fbank_params(),
        normalizer=normalizer,
    )
