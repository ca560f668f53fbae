"""A small random model whose sizes all differ, and a batch for it."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from fhvae.model.network import FHVAE
from fhvae.params import ModelParams

FRAMES, SEGMENTS, MELS, SEQUENCES = 5, 11, 7, 4


@dataclass(frozen=True)
class Batch:
    segments: Tensor
    table: Tensor
    sequence: Tensor
    counts: Tensor


@pytest.fixture(params=[1, 2], ids=["one-layer", "two-layers"])
def model(request) -> FHVAE:
    torch.manual_seed(0)
    params = ModelParams(
        layers=request.param, cells=6, z1=3, z2=2, z1_std=1.2, z2_std=0.5, mu2_std=0.9
    )
    return FHVAE(MELS, params)


@pytest.fixture
def batch(model) -> Batch:
    draw = torch.Generator().manual_seed(1)
    return Batch(
        segments=torch.randn(FRAMES, SEGMENTS, MELS, generator=draw),
        table=torch.randn(SEQUENCES, model.params.z2, generator=draw),
        sequence=torch.randint(SEQUENCES, (SEGMENTS,), generator=draw),
        counts=torch.tensor([9.0, 13.0, 8.0, 21.0]),
    )
