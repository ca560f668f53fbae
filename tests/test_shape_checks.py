"""Shapes in annotations are more than comments: the hook in conftest.py checks them in tests."""

import pytest
import torch
from jaxtyping import TypeCheckError

from fhvae.model.objective import log_q_sequence
from fhvae.segments import gather


def test_a_wrong_axis_is_refused_in_the_model():
    z2_mean, sequence = torch.zeros(4, 3), torch.zeros(4, dtype=torch.long)
    log_q_sequence(z2_mean, torch.zeros(5, 3), sequence, 0.5)
    with pytest.raises(TypeCheckError, match="mu2_table"):
        log_q_sequence(z2_mean, torch.zeros(5, 2), sequence, 0.5)


def test_a_wrong_type_is_refused_in_segments():
    frames, starts = torch.zeros(9, 2), torch.tensor([0, 3])
    assert gather(frames, starts, 4).shape == (4, 2, 2)
    with pytest.raises(TypeCheckError, match="starts"):
        gather(frames, starts.float(), 4)
