"""Recurrent layers: what they compute, and how they start."""

import math

import numpy as np
import pytest
import torch

from fhvae.model.network import FHVAE
from fhvae.model.recurrent import RECURRENT_LAYERS, _in_type, run_layers
from tests.fhvae.model.numpy_networks import recur
from tests.params_factory import model_params

each_cell = pytest.mark.parametrize("cell", RECURRENT_LAYERS)


@each_cell
def test_states_equal_a_numpy_recurrence(cell):
    torch.manual_seed(0)
    layers = RECURRENT_LAYERS[cell](4, 3, 2).double()
    with torch.no_grad():
        for layer in range(2):  # so that a bias of the wrong gate shows
            getattr(layers, f"bias_ih_l{layer}").normal_()
    inputs = torch.randn(6, 5, 4, dtype=torch.float64)
    outputs, states = layers(inputs)
    last = states[0] if cell == "lstm" else states
    wanted_outputs, wanted_last = recur(cell, layers, inputs.numpy())
    np.testing.assert_allclose(outputs.detach().numpy(), wanted_outputs, rtol=1e-12)
    np.testing.assert_allclose(torch.cat(list(last), dim=1).detach().numpy(), wanted_last)


@each_cell
def test_layers_run_with_rounded_weights_are_the_same_where_nothing_is_rounded(cell):
    torch.manual_seed(0)
    layers, inputs = RECURRENT_LAYERS[cell](4, 3, 2), torch.randn(6, 5, 4)
    for found, wanted in zip(_in_type(layers, inputs, torch.float32), layers(inputs), strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=0)


@each_cell
def test_under_autocast_layers_run_in_the_type_asked_for(cell):
    """PyTorch's own autocast takes float16 for cuDNN's layers, and float32 for a GRU on a CPU."""
    torch.manual_seed(0)
    layers, inputs = RECURRENT_LAYERS[cell](4, 3, 2), torch.randn(6, 5, 4)
    gradients = []
    for rounded in (False, True):
        layers.zero_grad()
        with (
            torch.backends.mkldnn.flags(enabled=False),  # its bfloat16 wants a recent processor
            torch.autocast("cpu", torch.bfloat16, enabled=rounded),
        ):
            outputs, last = run_layers(layers, inputs)
        assert outputs.dtype == last.dtype == (torch.bfloat16 if rounded else torch.float32)
        torch.testing.assert_close(outputs.float(), layers(inputs)[0], rtol=0, atol=0.02)
        outputs.float().square().sum().backward()
        gradients.append(torch.cat([weight.grad.flatten() for weight in trained(layers)]))
    error = (gradients[1] - gradients[0]).norm() / gradients[0].norm()
    assert 0 < error < 0.02


def trained(layers):
    return [weight for weight in layers.parameters() if weight.requires_grad]


@pytest.mark.parametrize(
    ("cell", "kernels", "biases"),
    [
        pytest.param("lstm", [(0, 4)], [0, 1, 0, 0], id="lstm-forget-bias-1"),
        pytest.param("gru", [(0, 2), (2, 3)], [1, 1, 0], id="gru-gates-and-candidate-apart"),
        pytest.param("rnn", [(0, 1)], [0], id="rnn"),
    ],
)
def test_cells_start_like_the_authors(cell, kernels, biases):
    """Glorot over the joint kernel of the gates first .. last - 1, from 30 inputs and 50 states."""
    torch.manual_seed(0)
    layers = RECURRENT_LAYERS[cell](30, 50, 2)
    for layer, inputs in enumerate((30, 50)):
        for kind in ("weight_ih", "weight_hh"):
            weight = getattr(layers, f"{kind}_l{layer}").view(len(biases), 50, -1)
            for first, last in kernels:
                limit = math.sqrt(6 / (inputs + 50 + (last - first) * 50))
                for gate in weight[first:last]:
                    assert limit * 0.95 < gate.abs().max().item() <= limit
                    assert gate.mean().abs().item() < limit * 0.1
        bias = getattr(layers, f"bias_ih_l{layer}").view(len(biases), 50)
        assert torch.equal(bias, torch.tensor(biases)[:, None].expand(-1, 50).float())


@each_cell
def test_a_gate_has_one_bias(cell):
    layers = RECURRENT_LAYERS[cell](4, 3, 2)
    for layer in range(2):
        assert getattr(layers, f"bias_ih_l{layer}").requires_grad
        assert not getattr(layers, f"bias_hh_l{layer}").requires_grad
        assert getattr(layers, f"bias_hh_l{layer}").abs().max() == 0


def test_the_lstm_model_keeps_its_names_and_the_order_of_its_draws():
    """Trained models and their repetition hang on both."""
    cells, z1, z2, mels = 6, 3, 2, 7
    torch.manual_seed(4)
    found = FHVAE(mels, 5, model_params()).state_dict()
    next_draw = torch.rand(3)

    def uniform(rows, columns, limit):
        return torch.empty(rows, columns).uniform_(-limit, limit)

    torch.manual_seed(4)
    names = []
    for part, inputs, dimension in (
        ("z2_encoder", mels, z2),
        ("z1_encoder", mels + z2, z1),
        ("decoder", z1 + z2, mels),
    ):
        limit = math.sqrt(6 / (inputs + cells + 4 * cells))
        of_lstm = uniform(4 * cells, inputs, limit), uniform(4 * cells, cells, limit)
        torch.nn.Linear(cells, 2 * dimension)  # draws its own weights first
        of_head = uniform(2 * dimension, cells, math.sqrt(6 / (cells + dimension)))
        for kind, wanted in zip(("ih", "hh"), of_lstm, strict=True):
            assert torch.equal(found[f"{part}.lstm.weight_{kind}_l0"], wanted)
        assert torch.equal(found[f"{part}.head.weight"], of_head)
        names += [
            f"{part}.lstm.{kind}_{of}_l0" for kind in ("weight", "bias") for of in ("ih", "hh")
        ]
        names += [f"{part}.head.weight", f"{part}.head.bias"]
    assert list(found) == names
    assert torch.equal(torch.rand(3), next_draw)
