"""Recurrent layers that start as the authors' did: LSTM, GRU and tanh cells of TensorFlow 1.

There a cell has one kernel over [input, state] for the gates that are computed together, drawn
by Glorot's rule, and one bias per gate. PyTorch keeps two matrices and two biases: both
matrices are drawn within the limits of that joint kernel, and the second bias is frozen at 0
(paper-map: initialization).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


@torch.no_grad()
def start_as_in_tensorflow(
    layers: nn.RNNBase, kernels: tuple[int, ...], biases: tuple[float, ...]
) -> None:
    """Draw initial weights from PyTorch's global generator.

    Args:
        layers: recurrent layers, with the rows of all gates stacked in each matrix.
        kernels: number of gates of each joint kernel, in PyTorch's order of gates.
        biases: initial bias of each gate.
    """
    rows = [gates * layers.hidden_size for gates in kernels]
    for layer in range(layers.num_layers):
        from_input, from_state, bias, second_bias = (
            getattr(layers, f"{name}_l{layer}")
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        fan_in = from_input.shape[1] + from_state.shape[1]
        for fan_out, *parts in zip(
            rows, from_input.split(rows), from_state.split(rows), strict=True
        ):
            limit = math.sqrt(6 / (fan_in + fan_out))
            for part in parts:
                nn.init.uniform_(part, -limit, limit)
        bias.copy_(torch.tensor(biases).repeat_interleave(layers.hidden_size))
        nn.init.zeros_(second_bias).requires_grad_(False)


class LSTM(nn.LSTM):
    """LSTM layers with a forget bias of 1."""

    def reset_parameters(self) -> None:
        """Draw initial weights; gates are ordered input, forget, cell, output."""
        start_as_in_tensorflow(self, kernels=(4,), biases=(0, 1, 0, 0))


class GRU(nn.GRU):
    """GRU layers whose gates start with a bias of 1.

    TensorFlow 1 resets the state before it is multiplied, tanh(W x + U (r h)); PyTorch, as
    cuDNN, resets the product, tanh(W x + r (U h)). Sizes and initial values are the same, the
    functions are not: that is accepted.
    """

    def reset_parameters(self) -> None:
        """Draw initial weights; gates are ordered reset, update, and then the candidate."""
        start_as_in_tensorflow(self, kernels=(2, 1), biases=(1, 1, 0))


class RNN(nn.RNN):
    """Layers of tanh cells without gates."""

    def reset_parameters(self) -> None:
        """Draw initial weights."""
        start_as_in_tensorflow(self, kernels=(1,), biases=(0,))


RECURRENT_LAYERS: dict[str, type[LSTM] | type[GRU] | type[RNN]] = {
    "lstm": LSTM,
    "gru": GRU,
    "rnn": RNN,
}


def run_layers(
    layers: nn.RNNBase, inputs: Float[Tensor, "frame segment input"]
) -> tuple[Float[Tensor, "frame segment cell"], Float[Tensor, "layer segment cell"]]:
    """Run recurrent layers over segments.

    Under autocast in the type that autocast is set to. Left to itself it runs the layers of
    cuDNN in float16, where small gradients vanish, even if it is set to bfloat16 (PyTorch,
    aten/src/ATen/cudnn/AutocastRNN.cpp).

    Returns:
        The states of the last layer at every frame, and those of every layer at the last frame.
    """
    device = inputs.device.type
    if torch.is_autocast_enabled(device):
        outputs, states = _in_type(layers, inputs, torch.get_autocast_dtype(device))
    else:
        outputs, states = layers(inputs)
    last = states[0] if isinstance(states, tuple) else states  # an LSTM also has cell states
    return outputs, last


def _in_type(
    layers: nn.RNNBase, inputs: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor | tuple[Tensor, Tensor]]:
    """Do what the layers do, with weights rounded to a type; the weights get the gradients."""
    weights = [weight.to(dtype) for layer in layers.all_weights for weight in layer]
    first = inputs.new_zeros(layers.num_layers, inputs.shape[1], layers.hidden_size, dtype=dtype)
    # biases, layers, dropout, training, bidirectional, batch_first
    options = (True, layers.num_layers, 0.0, layers.training, False, False)
    with torch.autocast(inputs.device.type, enabled=False):
        rounded = inputs.to(dtype)
        if isinstance(layers, nn.LSTM):
            outputs, hidden, cell = torch.lstm(rounded, (first, first), weights, *options)
            return outputs, (hidden, cell)
        run = torch.gru if isinstance(layers, nn.GRU) else torch.rnn_tanh
        return run(rounded, first, weights, *options)
