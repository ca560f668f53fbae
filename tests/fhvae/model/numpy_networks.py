"""The networks once more, in float64 NumPy, frame by frame: what the real ones are held against."""

import numpy as np


def array(weight):
    return weight.detach().numpy().astype(np.float64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(frame, hidden, memory, from_input, from_hidden, bias):
    """Gates in PyTorch's order: input, forget, cell, output."""
    gates = frame @ from_input.T + hidden @ from_hidden.T + bias
    i, f, g, o = np.split(gates, 4, axis=1)
    memory = sigmoid(f) * memory + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(memory), memory


def gru_step(frame, hidden, memory, from_input, from_hidden, bias):
    """Reset, update, candidate; what is reset is the product with the state."""
    input_r, input_u, input_c = np.split(frame @ from_input.T + bias, 3, axis=1)
    hidden_r, hidden_u, hidden_c = np.split(hidden @ from_hidden.T, 3, axis=1)
    reset, update = sigmoid(input_r + hidden_r), sigmoid(input_u + hidden_u)
    candidate = np.tanh(input_c + reset * hidden_c)
    return update * hidden + (1 - update) * candidate, memory


def rnn_step(frame, hidden, memory, from_input, from_hidden, bias):
    return np.tanh(frame @ from_input.T + hidden @ from_hidden.T + bias), memory


STEPS = {"lstm": lstm_step, "gru": gru_step, "rnn": rnn_step}


def recur(cell, layers, inputs):
    """Give the top layer's output at every frame, and the last output of every layer."""
    last = []
    for layer in range(layers.num_layers):
        weights = [
            array(getattr(layers, f"{name}_l{layer}"))
            for name in ("weight_ih", "weight_hh", "bias_ih")
        ]
        hidden = memory = np.zeros((inputs.shape[1], layers.hidden_size))
        outputs = []
        for frame in inputs:
            hidden, memory = STEPS[cell](frame, hidden, memory, *weights)
            outputs.append(hidden)
        inputs = np.stack(outputs)
        last.append(hidden)
    return inputs, np.concatenate(last, axis=1)


def rectify(layers, inputs):
    for layer in layers:
        inputs = np.maximum(inputs @ array(layer.weight).T + array(layer.bias), 0)
    return inputs


def head(layer, features):
    return np.split(features @ array(layer.weight).T + array(layer.bias), 2, axis=-1)


def encode(cell, encoder, segments, beside):
    """Mean and log-variance of a latent; `beside` has no columns for the encoder of z2."""
    if cell == "dense":
        rows = [np.concatenate([*segments[:, row], z]) for row, z in enumerate(beside)]
        return head(encoder.head, rectify(encoder.dense, np.stack(rows)))
    frames = np.stack([np.concatenate([frame, beside], axis=1) for frame in segments])
    _, last = recur(cell, getattr(encoder, cell), frames)
    return head(encoder.head, last)


def decode(cell, decoder, latent, frames):
    """Mean and log-variance, `[frame, segment, mel]`."""
    if cell == "dense":
        flat = head(decoder.head, rectify(decoder.dense, latent))
        return [np.stack(np.split(part, frames, axis=1)) for part in flat]
    outputs, _ = recur(cell, getattr(decoder, cell), np.stack([latent] * frames))
    return head(decoder.head, outputs)
