"""Operations of a step, against PyTorch's own counter."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.step import flops_per_segment
from fhvae.model.network import FHVAE
from fhvae.model.objective import segment_terms
from tests.params_factory import model_params

FRAMES, SEGMENTS, MELS, CELLS, Z2 = 5, 11, 7, 6, 2


def counted(params):
    """Count the products of a step; double precision, whose LSTM the counter can see into."""
    torch.manual_seed(0)
    model = FHVAE(MELS, FRAMES, params).double()
    segments = torch.randn(FRAMES, SEGMENTS, MELS, dtype=torch.float64)
    mu2 = torch.randn(SEGMENTS, Z2, dtype=torch.float64)
    ones = torch.ones(SEGMENTS, dtype=torch.float64)
    with FlopCounterMode(display=False) as counter:
        terms = segment_terms(model, segments, mu2, ones, torch.Generator().manual_seed(0))
        terms.lower_bound.sum().backward()
    return counter.get_total_flops() / SEGMENTS


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3), ("rnn", 1), ("dense", None)])
def test_operations_are_those_that_pytorch_counts(cell, gates, layers):
    """But for two products: one done without need, one left out where the state is zero."""
    outputs = (gates or 1) * CELLS
    gradient_of_frames_beside_z2 = 2 * outputs * FRAMES * MELS
    gradient_of_first_state = 0 if gates is None else 2 * outputs * CELLS * layers * 3
    params = model_params(cell=cell, layers=layers)
    expected = counted(params) - gradient_of_frames_beside_z2 + gradient_of_first_state
    assert flops_per_segment(params, FRAMES, MELS) == expected


def test_operations_of_the_papers_model():
    found = flops_per_segment(model_params(cells=256, z1=32, z2=32), frames=20, mels=80)
    assert found == pytest.approx(124e6, rel=0.005)
