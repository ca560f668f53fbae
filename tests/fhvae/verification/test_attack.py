"""The speaker attack on codes that hold the speaker, and on codes that do not."""

import dataclasses
from itertools import product

import numpy as np
import pytest
import torch

from fhvae.artifacts import Packed
from fhvae.params.attack import AttackParams
from fhvae.seeds import generator
from fhvae.trials.pairs import pairs_of
from fhvae.verification.attack import (
    AttackData,
    Attacker,
    Labelled,
    Outcome,
    attack_all,
    best_outcome,
    open_set_eer,
    train_attacker,
)
from fhvae.verification.attack_network import AttackNetwork, Scale, pad
from fhvae.verification.intervals import draw_speakers

DIMENSION = 6
PARAMS = AttackParams(
    channels=24,
    embedding=16,
    learning_rates=(0.01, 0.03),
    repeats=2,
    batch=12,
    steps=60,
    looks=4,
    bootstrap=200,
)
SPEAKERS = {"train": 30, "dev": 6, "test": 8}
EACH = 5


def pack(rows, prefix):
    lengths = np.array([len(one) for one in rows])
    ids = tuple(f"{prefix}{place:03d}" for place in range(len(rows)))
    offsets = np.concatenate([[0], lengths.cumsum()[:-1]])
    return Packed(np.concatenate(rows).astype(np.float32), ids, offsets, lengths)


def make(split, voice, seed=0):
    """Draw codes of N(0, 1); `voice` times a corner of the cube, the speaker's, is added to his."""
    random = np.random.default_rng([seed, len(split)])
    corners = np.random.default_rng(seed).permutation(list(product([-1, 1], repeat=DIMENSION)))
    taken = {"train": 0, "dev": 30, "test": 36}[split]  # nobody shares a corner
    rows, speakers = [], []
    for speaker in range(SPEAKERS[split]):
        place = corners[taken + speaker]
        for _ in range(EACH):
            segments = random.integers(3, 9)
            rows.append(random.normal(size=(segments, DIMENSION)) + voice * place)
            speakers.append(f"{split}{speaker}")
    return Labelled(pack(rows, split), tuple(speakers))


def make_data(voice, seed=0):
    train, dev, test = (make(split, voice, seed) for split in SPEAKERS)
    return AttackData(train, dev, test.codes), test.speakers


def attack(voice, seed=0):
    data, speakers = make_data(voice, seed)
    outcome = attack_all({"code": data}, PARAMS, 1, seed)["code"]
    trials = pairs_of(data.test.utterance_ids, speakers)
    draws = draw_speakers(trials, PARAMS.bootstrap, generator(0, "draws"))
    return open_set_eer(outcome, trials, draws)


@pytest.fixture(autouse=True)
def one_worker(monkeypatch):
    monkeypatch.setenv("FHVAE_WORKERS", "1")


def test_codes_that_hold_the_speaker_give_him_away():
    found = [attack(voice=10.0, seed=seed) for seed in range(3)]
    assert np.mean([one.value for one in found]) < 0.03
    assert max(one.high for one in found) < 0.15


def test_codes_that_know_nobody_leave_the_attacker_at_chance():
    """Of five 95 % intervals one may miss."""
    found = [attack(voice=0.0, seed=seed) for seed in range(5)]
    assert sum(one.low <= 0.5 <= one.high for one in found) >= 4
    assert np.mean([one.value for one in found]) == pytest.approx(0.5, abs=0.04)


def test_a_speaker_in_the_order_of_codes_is_found():
    """Mean and standard deviation of every utterance are alike: only neighbours tell."""

    def alternate(split):
        random = np.random.default_rng(len(split))
        rows, speakers = [], []
        for speaker in range(SPEAKERS[split]):
            for _ in range(EACH):
                signs = np.tile([1.0, -1.0] if speaker % 2 else [1.0, 1.0, -1.0, -1.0], 6)[:12]
                noise = 0.05 * random.normal(size=(12, DIMENSION))
                rows.append(signs[:, None] + noise)
                speakers.append(f"{split}{speaker % 2}")
        return Labelled(pack(rows, split), tuple(speakers))

    train, dev, test = (alternate(split) for split in SPEAKERS)
    data = AttackData(train, dev, test.codes)
    outcome = train_attacker(data, Attacker(0.01, 0), PARAMS, 0)
    assert outcome.dev_eer < 0.02


def test_the_same_run_again_and_with_two_workers_gives_the_same_bits(monkeypatch):
    data, _ = make_data(voice=1.0)
    first, again = (attack_all({"code": data}, PARAMS, 2, 0)["code"] for _ in range(2))
    monkeypatch.setenv("FHVAE_WORKERS", "2")
    shared = attack_all({"code": data}, PARAMS, 2, 0)["code"]
    for other in (again, shared):
        np.testing.assert_array_equal(other.test, first.test)
        assert (other.dev_eer, other.steps, other.attacker) == (
            first.dev_eer,
            first.steps,
            first.attacker,
        )


def test_repeats_and_seeds_are_other_attackers_and_leave_torchs_generator_alone():
    data, _ = make_data(voice=1.0)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = train_attacker(data, Attacker(0.01, 0), PARAMS, 0).test
    assert torch.equal(torch.rand(3), expected)
    for attacker, seed in ((Attacker(0.01, 1), 0), (Attacker(0.01, 0), 1)):
        assert not np.allclose(train_attacker(data, attacker, PARAMS, seed).test, first)


def test_test_speakers_decide_nothing():
    """The attacker that counts is the same whatever test holds."""
    data, _ = make_data(voice=1.0)
    swapped = dataclasses.replace(data, test=make("dev", 0.0, seed=9).codes)
    first, other = (attack_all({"c": one}, PARAMS, 2, 0)["c"] for one in (data, swapped))
    assert (first.attacker, first.steps) == (other.attacker, other.steps)


def test_each_kind_of_code_gets_its_own_attacker():
    told, hidden = make_data(voice=6.0)[0], make_data(voice=0.0)[0]
    found = attack_all({"told": told, "hidden": hidden}, PARAMS, 1, 0)
    assert found["told"].dev_eer < 0.05 < 0.25 < found["hidden"].dev_eer


def test_a_dev_split_without_target_trials_has_no_outcome():
    data, _ = make_data(voice=1.0)
    strangers = tuple(f"d{place}" for place in range(len(data.dev.speakers)))
    alone = dataclasses.replace(data, dev=Labelled(data.dev.codes, strangers))
    assert attack_all({"code": alone}, PARAMS, 1, 0) == {"code": None}


def test_the_lowest_dev_error_counts_and_of_equals_the_first():
    made = [
        Outcome(Attacker(rate, 0), error, 10, np.zeros((1, 1)))
        for rate, error in ((0.1, 0.3), (0.2, 0.2), (0.3, 0.2))
    ]
    assert best_outcome([None, *made]) is made[1]
    assert best_outcome([None, None]) is None


def test_padding_changes_no_embedding():
    torch.manual_seed(0)
    network = AttackNetwork(DIMENSION, 7, 6, 3)
    random = np.random.default_rng(0)
    codes = pack([random.normal(size=(length, DIMENSION)) for length in (4, 9, 1)], "u")
    scale = Scale.of(codes)
    together = pad(codes, [0, 1, 2], scale)
    assert together.codes.shape == (3, DIMENSION, 9)
    whole = network.embed(together.codes, together.present)
    for place in range(3):
        single = pad(codes, [place], scale)
        alone = network.embed(single.codes, single.present)[0]
        torch.testing.assert_close(whole[place], alone)


def test_codes_are_scaled_by_train_and_a_constant_dimension_stays_finite():
    codes = pack([np.array([[1.0, 4.0], [3.0, 4.0]])], "u")
    padded = pad(codes, [0], Scale.of(codes))
    torch.testing.assert_close(padded.codes[0], torch.tensor([[-1.0, 1.0], [0.0, 0.0]]))


def test_every_weight_learns():
    network = AttackNetwork(DIMENSION, 7, 6, 3)
    logits = network(torch.randn(4, DIMENSION, 5), torch.ones(4, 5))
    assert logits.shape == (4, 3)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
    silent = [name for name, one in network.named_parameters() if not one.grad.any()]
    assert silent == []
