"""CTC training on codes whose truth is known."""

import math
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from fhvae.errors import TrainingError
from fhvae.recognition import train
from fhvae.recognition.train import (
    Attempt,
    best_path,
    ctc_loss,
    endless_order,
    group_by_length,
    learn,
    look_steps,
    new_recognizer,
    pad_utterances,
    per_of,
    rate_share,
    recognize,
)

ONE_LAYER = Attempt(layers=1, learning_rate=0.03, repeat=0)


def learned_from(lesson, params, attempt=ONE_LAYER, seed=0):
    return learn(lesson.source, lesson.side, lesson.labels, params, attempt, seed)


def test_codes_that_are_phones_are_recognized(phone_codes, budget):
    assert learned_from(phone_codes, budget).dev_per < 0.05


def test_a_linear_recognizer_reads_them_too(phone_codes, budget):
    linear = Attempt(layers=0, learning_rate=0.1, repeat=0)
    assert learned_from(phone_codes, budget, linear).dev_per < 0.05


def test_a_training_that_diverged_gives_no_recognizer(phone_codes, budget):
    wild = replace(ONE_LAYER, learning_rate=1e30)
    with pytest.raises(
        TrainingError, match=r"diverged: loss .* and gradient nan at step 2 of 120; take"
    ):
        learned_from(phone_codes, budget, wild)


def test_a_network_without_a_number_recognizes_nothing(phone_codes, budget):
    """The largest of none would be a phone or the blank all the same."""
    found = learned_from(phone_codes, replace(budget, steps=1, looks=1))
    with torch.no_grad():
        found.network.exit.bias[2] = torch.nan
    dev = phone_codes.source.open("clean", "dev")
    names, labels = phone_codes.side.dev_ids, phone_codes.labels
    with pytest.raises(TrainingError, match="must give a number for every phone, of d"):
        recognize(found.network, dev, found.normalizer, names, labels)


def test_codes_that_know_nothing_are_not(noise_codes, budget):
    assert learned_from(noise_codes, budget).dev_per > 0.6


def test_the_kept_state_is_the_one_whose_error_is_reported(phone_codes, budget):
    found = learned_from(phone_codes, replace(budget, steps=30, looks=3))
    dev = phone_codes.source.open("clean", "dev")
    names, labels = phone_codes.side.dev_ids, phone_codes.labels
    again = recognize(found.network, dev, found.normalizer, names, labels)
    assert found.dev_per == per_of(again, labels)
    assert found.step in {10, 20, 30}


@pytest.mark.parametrize(
    ("rates", "best"), [((0.5, 0.2, 0.3), 1), ((0.5, 0.3, 0.2), 2), ((0.2, 0.2, 0.4), 0)]
)
def test_the_kept_state_is_that_of_the_first_of_the_best_looks(
    phone_codes, budget, monkeypatch, rates, best
):
    seen, coming = [], iter(rates)

    def look(network, *_):
        seen.append(deepcopy(network.state_dict()))
        return {}

    monkeypatch.setattr(train, "recognize", look)
    monkeypatch.setattr(train, "per_of", lambda *_: next(coming))
    found = learned_from(phone_codes, replace(budget, steps=9, looks=3))
    assert (found.dev_per, found.step) == (rates[best], 3 * (best + 1))
    kept = found.network.state_dict()
    equal = [all(torch.equal(kept[name], one[name]) for name in kept) for one in seen]
    assert equal == [place == best for place in range(3)]


def test_equal_seeds_equal_weights_other_seeds_other_weights(phone_codes, budget):
    short, other = replace(budget, steps=4, looks=1), replace(ONE_LAYER, repeat=1)
    networks = [
        learned_from(phone_codes, short, attempt, seed).network
        for attempt, seed in ((ONE_LAYER, 0), (ONE_LAYER, 0), (ONE_LAYER, 1), (other, 0))
    ]
    weights = [torch.cat([w.flatten() for w in network.parameters()]) for network in networks]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert not torch.equal(weights[0], weights[3])


def test_dropout_changes_the_weights_and_draws_the_same_again(phone_codes, budget):
    short = replace(budget, steps=4, looks=1)
    plain, one, again = (
        torch.cat([w.flatten() for w in learned_from(phone_codes, params).network.parameters()])
        for params in (short, replace(short, dropout=0.4), replace(short, dropout=0.4))
    )
    assert torch.equal(one, again)
    assert not torch.equal(plain, one)


def test_recognizing_drops_nothing(phone_codes, budget):
    assert learned_from(phone_codes, replace(budget, dropout=0.3)).dev_per < 0.1


def test_training_leaves_the_global_generator_alone():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    new_recognizer(3, 4, layers=1, cells=5, seed=0)
    assert torch.equal(torch.rand(3), expected)


def test_the_loss_of_one_row_is_minus_the_log_probability_of_its_phone():
    scores = torch.log(torch.tensor([[[0.5, 0.2, 0.3]]]))
    loss = ctc_loss(scores, torch.tensor([1]), [[2]])
    assert loss.item() == pytest.approx(-math.log(0.3), abs=1e-6)


def test_labels_that_do_not_fit_count_nothing_and_give_no_gradient():
    scores = torch.log_softmax(torch.randn(2, 1, 4, requires_grad=True), dim=2)
    loss = ctc_loss(scores, torch.tensor([2]), [[1, 2, 3]])
    assert loss.item() == 0


@pytest.mark.parametrize(
    ("labels", "path"),
    [
        ([0, 0], []),
        ([1, 1, 0, 1, 2, 2], [1, 1, 2]),
        ([3, 0, 0, 3, 3], [3, 3]),
        ([2, 1, 2], [2, 1, 2]),
    ],
)
def test_the_best_path_merges_repeats_then_drops_blanks(labels, path):
    assert best_path(np.array(labels)) == path


@pytest.mark.parametrize(("warm_up", "last_rate"), [(0.1, 0.05), (0.4, 0.2)])
def test_the_rate_rises_then_falls(budget, warm_up, last_rate):
    params = replace(budget, steps=100, warm_up=warm_up, last_rate=last_rate)
    shares = [rate_share(step, params) for step in range(1, 101)]
    top = round(100 * warm_up)
    assert shares[top // 2 - 1] == pytest.approx(0.5)
    assert shares[top - 1] == 1
    assert shares[-1] == pytest.approx(last_rate)
    assert np.diff(shares[:top]).min() > 0 > np.diff(shares[top - 1 :]).max()
    assert rate_share(1, replace(params, steps=1)) == 1


def test_gradients_are_cut_to_the_norm_asked_for(phone_codes, budget, monkeypatch):
    norms = []

    def cut(weights, norm):
        norms.append(norm)
        return torch.zeros(())

    monkeypatch.setattr(train.nn.utils, "clip_grad_norm_", cut)
    learned_from(phone_codes, replace(budget, steps=2, looks=1, gradient_norm=0.75))
    assert norms == [0.75, 0.75]


def test_the_last_look_is_at_the_last_step():
    assert look_steps(300, 3) == {100, 200, 300}
    assert look_steps(7, 2) == {3, 7}


def test_batches_hold_utterances_of_like_length():
    lengths = {"a": 9, "b": 2, "c": 9, "d": 3, "e": 1}
    assert group_by_length(lengths, list("abcde"), 2) == [["e", "b"], ["d", "a"], ["c"]]


def test_each_pass_takes_every_batch_once():
    order = endless_order(5, np.random.default_rng(0))
    passes = [[next(order) for _ in range(5)] for _ in range(3)]
    assert [sorted(one) for one in passes] == [[0, 1, 2, 3, 4]] * 3
    assert passes[0] != passes[1]


def test_padding_is_zero_beyond_each_utterance():
    batch = pad_utterances([np.ones((2, 3)), np.full((4, 3), 2.0)])
    assert batch.lengths.tolist() == [2, 4]
    assert batch.rows[:, 0, 0].tolist() == [1, 1, 0, 0]
    assert batch.rows[:, 1, 2].tolist() == [2, 2, 2, 2]
