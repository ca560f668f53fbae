"""The recognizer: padding changes nothing, and every weight learns."""

import numpy as np
import pytest
import torch
from torch import nn

from fhvae.recognition.network import (
    BidirectionalLayer,
    Recognizer,
    drop_some,
    dropout,
    keep_all,
    reversal,
)

LENGTHS = torch.tensor([7, 3, 5])
ROWS, DIMENSIONS, CELLS, LABELS = 7, 4, 6, 5


def padded_rows(fill: float = 0.0) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    rows = torch.randn(ROWS, len(LENGTHS), DIMENSIONS, generator=random)
    for place, length in enumerate(LENGTHS):
        rows[length:, place] = fill
    return rows


def new_network(layers: int) -> Recognizer:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Recognizer(DIMENSIONS, LABELS, layers, CELLS)


def test_reversal_keeps_padding_in_place():
    assert reversal(torch.tensor([4, 2]), 4).T.tolist() == [[3, 2, 1, 0], [1, 0, 2, 3]]


def test_a_layer_equals_a_packed_bidirectional_lstm_of_pytorch():
    ours, theirs = (
        BidirectionalLayer(DIMENSIONS, CELLS),
        nn.LSTM(DIMENSIONS, CELLS, bidirectional=True),
    )
    for name, weight in ours.forward_lstm.named_parameters():
        getattr(theirs, name).data = weight.data
    for name, weight in ours.backward_lstm.named_parameters():
        getattr(theirs, f"{name}_reverse").data = weight.data
    packed = nn.utils.rnn.pack_padded_sequence(padded_rows(), LENGTHS, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(theirs(packed)[0])
    found = ours(padded_rows(), reversal(LENGTHS, ROWS))
    for place, length in enumerate(LENGTHS):
        assert torch.allclose(found[:length, place], expected[:length, place], atol=1e-6)


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_what_stands_in_the_padding_changes_no_result(layers):
    network = new_network(layers)
    plain, filled = network(padded_rows(), LENGTHS), network(padded_rows(fill=1000.0), LENGTHS)
    for place, length in enumerate(LENGTHS):
        assert torch.equal(plain[:length, place], filled[:length, place])


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_an_utterance_alone_scores_as_in_a_batch(layers):
    network, rows = new_network(layers), padded_rows()
    together = network(rows, LENGTHS)
    for place, length in enumerate(LENGTHS):
        alone = network(rows[:length, place : place + 1], LENGTHS[place : place + 1])
        assert torch.allclose(alone[:, 0], together[:length, place], atol=1e-5)


@pytest.mark.parametrize("layers", [1, 2])
def test_every_parameter_learns(layers):
    network = new_network(layers)
    targets, sizes = torch.tensor([1, 2, 3, 4, 1]), torch.tensor([2, 1, 2])
    nn.CTCLoss()(network(padded_rows(), LENGTHS), targets, LENGTHS, sizes).backward()
    silent = [
        name
        for name, weight in network.named_parameters()
        if weight.grad is None or not weight.grad.any()
    ]
    assert silent == []


def test_scores_are_log_probabilities():
    scores = new_network(1)(padded_rows(), LENGTHS)
    assert scores.shape == (ROWS, 3, LABELS)
    assert torch.allclose(scores.exp().sum(dim=2), torch.ones(ROWS, 3), atol=1e-5)


def test_without_layers_a_row_does_not_see_its_neighbors():
    rows, network = padded_rows(), new_network(0)
    changed = rows.clone()
    changed[2] += 1
    same = torch.isclose(network(rows, LENGTHS), network(changed, LENGTHS)).all(dim=2).all(dim=1)
    assert same.tolist() == [True, True, False, True, True, True, True]
    assert sum(1 for _ in network.parameters()) == 2


def test_dropout_zeroes_its_share_and_keeps_the_mean():
    values = torch.full((50, 40, 30), 2.0)
    found = drop_some(values, 0.25, np.random.default_rng(0))
    assert found.unique().tolist() == [0, pytest.approx(2 / 0.75)]
    assert (found == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert found.mean().item() == pytest.approx(2, abs=0.03)


def test_dropout_of_nothing_draws_nothing():
    random = np.random.default_rng(0)
    assert dropout(0.0, random) is keep_all
    assert random.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_every_layer_is_dropped_once(layers):
    seen = []

    def drop(values):
        seen.append(tuple(values.shape))
        return torch.zeros_like(values)

    network = new_network(layers)
    scores = network(padded_rows(), LENGTHS, drop)
    assert seen == [(ROWS, len(LENGTHS), 2 * CELLS)] * layers
    if layers:  # nothing but the bias of the exit is left
        assert torch.allclose(scores, network.exit.bias.log_softmax(0).expand_as(scores))
