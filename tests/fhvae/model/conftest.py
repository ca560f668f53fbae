"""Small random models of every kind, whose sizes all differ, and a batch for them."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from fhvae.model.network import FHVAE
from tests.params_factory import model_params

FRAMES, SEGMENTS, MELS, SEQUENCES, Z1, Z2 = 5, 11, 7, 4, 3, 2
LAYERS = (1, 2)
RECURRENT = [(cell, layers) for cell in ("lstm", "gru", "rnn") for layers in LAYERS]
DENSE = [("dense", layers) for layers in LAYERS]


@dataclass(frozen=True)
class Batch:
    segments: Tensor
    table: Tensor
    sequence: Tensor
    counts: Tensor


def make_model(cell: str, layers: int) -> FHVAE:
    torch.manual_seed(0)
    sizes = model_params(cell=cell, layers=layers, z1_std=1.2, mu2_std=0.9)
    return FHVAE(MELS, FRAMES, sizes)


def name(variant: tuple[str, int]) -> str:
    return f"{variant[0]}-{variant[1]}"


@pytest.fixture(params=[*RECURRENT, *DENSE], ids=name)
def model(request) -> FHVAE:
    return make_model(*request.param)


@pytest.fixture(params=RECURRENT, ids=name)
def recurrent_model(request) -> FHVAE:
    return make_model(*request.param)


@pytest.fixture(params=DENSE, ids=name)
def dense_model(request) -> FHVAE:
    return make_model(*request.param)


@pytest.fixture
def batch() -> Batch:
    draw = torch.Generator().manual_seed(1)
    return Batch(
        segments=torch.randn(FRAMES, SEGMENTS, MELS, generator=draw),
        table=torch.randn(SEQUENCES, Z2, generator=draw),
        sequence=torch.randint(SEQUENCES, (SEGMENTS,), generator=draw),
        counts=torch.tensor([9.0, 13.0, 8.0, 21.0]),
    )
