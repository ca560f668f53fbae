"""The speaker attack: what it reads, on codes that hold the speaker and codes that do not."""

import dataclasses
from itertools import product

import numpy as np
import pytest
import torch

from fhvae.errors import ArtifactError
from fhvae.files.packed import Packed
from fhvae.params.attack import AttackParams
from fhvae.trials import pairs_of
from fhvae.verification.attack import (
    AttackData,
    Attacker,
    AttackNetwork,
    LabeledCodes,
    Outcome,
    attack_all,
    best_outcome,
    code_sequences,
    open_set_eer,
    pad_codes,
    segment_frame_means,
    standardize,
    train_attacker,
)
from tests.latent_factory import SEGMENT_FRAMES, SHIFT, make_frames, make_latents, make_utterances
from tests.stages.stage_runner import each_number_of_workers

DIMENSION = 6
PARAMS = AttackParams(
    channels=24,
    embedding=16,
    cosine_scale=15.0,
    input_noise=0.5,
    weight_decay=0.01,
    learning_rates=(0.01, 0.03),
    repeats=2,
    batch=12,
    steps=60,
    looks=4,
)
SMALL = dataclasses.replace(PARAMS, channels=7, embedding=6)
SPEAKERS = {"train": 30, "dev": 6, "test": 8}
EACH = 5


@pytest.fixture
def latents():
    return make_latents(make_utterances("test", 2, 3), segments=4)


def test_frames_are_averaged_over_each_segment_by_a_loop(latents):
    frames = make_frames(latents)
    found = segment_frame_means(latents, frames)
    for place, (_, segments) in enumerate(latents.slices()):
        for number in range(4):
            start = number * SHIFT
            expected = frames[place][start : start + SEGMENT_FRAMES].mean(axis=0)
            np.testing.assert_allclose(found[segments][number], expected, rtol=1e-4, atol=1e-6)


def test_codes_are_named_and_on_one_grid(latents):
    untrained = make_latents(make_utterances("test", 2, 3), segments=4, seed=7)
    found = code_sequences(latents, untrained, make_frames(latents))
    assert list(found) == ["z1", "z1_without_mu1", "untrained", "fbank"]
    for codes in found.values():
        assert codes.utterance_ids == latents.utterance_ids
        np.testing.assert_array_equal(codes.lengths, 4)
    np.testing.assert_array_equal(found["z1"].rows, latents.z1_mean)
    np.testing.assert_array_equal(found["untrained"].rows, untrained.z1_mean)
    for _, rows in found["z1_without_mu1"].items():
        np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(
        np.diff(found["z1_without_mu1"][0], axis=0), np.diff(found["z1"][0], axis=0), atol=1e-6
    )


def test_frames_in_another_order_are_found_by_name(latents):
    frames = make_frames(latents)
    turned = dataclasses.replace(
        frames,
        utterance_ids=frames.utterance_ids[::-1],
        offsets=frames.offsets[::-1],
        lengths=frames.lengths[::-1],
    )
    np.testing.assert_array_equal(
        segment_frame_means(latents, turned), segment_frame_means(latents, frames)
    )


def test_other_utterances_or_another_grid_are_refused(latents):
    frames = make_frames(latents)
    fewer = make_latents(make_utterances("test", 2, 2), segments=4)
    with pytest.raises(ArtifactError, match="test00_02 is in latents and not in baselines"):
        code_sequences(latents, fewer, frames)
    finer = make_latents(make_utterances("test", 2, 3), segments=5)
    with pytest.raises(ArtifactError, match="24 and 30 segments; rerun baselines"):
        code_sequences(latents, finer, frames)


def pack(rows, prefix):
    lengths = np.array([len(one) for one in rows])
    ids = tuple(f"{prefix}{place:03d}" for place in range(len(rows)))
    offsets = np.concatenate([[0], lengths.cumsum()[:-1]])
    return Packed(np.concatenate(rows).astype(np.float32), ids, offsets, lengths)


def make(split, voice, seed=0):
    """Draw codes of N(0, 1); `voice` times a corner of the cube, the speaker's, is added."""
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
    return LabeledCodes(pack(rows, split), tuple(speakers))


def make_data(voice, seed=0):
    train, dev, test = (make(split, voice, seed) for split in SPEAKERS)
    return AttackData(train, dev, test.codes), test.speakers


def attack(voice, seed=0):
    data, speakers = make_data(voice, seed)
    outcome = attack_all({"code": data}, PARAMS, 1, seed)["code"]
    return open_set_eer(outcome, pairs_of(data.test.utterance_ids, speakers))


def test_codes_that_hold_the_speaker_tell_who_speaks():
    found = [attack(voice=10.0, seed=seed) for seed in range(2)]
    assert np.mean([one.value for one in found]) < 0.03
    assert max(one.high for one in found) < 0.45  # eight speakers without an error: 0.41


@pytest.mark.slow
def test_codes_that_know_nobody_leave_the_attacker_at_chance():
    """Of five 95 % intervals one may miss."""
    found = [attack(voice=0.0, seed=seed) for seed in range(5)]
    assert sum(one.low <= 0.5 <= one.high for one in found) >= 4
    assert np.mean([one.value for one in found]) == pytest.approx(0.5, abs=0.04)


def test_a_speaker_in_the_order_of_codes_is_found():
    """Mean and standard deviation of every utterance are alike: only neighbors tell."""

    def alternate(split):
        random = np.random.default_rng(len(split))
        rows, speakers = [], []
        for speaker in range(SPEAKERS[split]):
            for _ in range(EACH):
                signs = np.tile([1.0, -1.0] if speaker % 2 else [1.0, 1.0, -1.0, -1.0], 6)[:12]
                noise = 0.05 * random.normal(size=(12, DIMENSION))
                rows.append(signs[:, None] + noise)
                speakers.append(f"{split}{speaker % 2}")
        return LabeledCodes(pack(rows, split), tuple(speakers))

    train, dev, test = (alternate(split) for split in SPEAKERS)
    data = AttackData(train, dev, test.codes)
    outcome = train_attacker(standardize(data), Attacker(0.01, 0), PARAMS, 0)
    assert outcome.dev_eer < 0.02


@each_number_of_workers
def test_the_same_run_again_gives_the_same_bits(monkeypatch, workers):
    data, _ = make_data(voice=1.0)
    first = attack_all({"code": data}, PARAMS, 1, 0)["code"]
    monkeypatch.setenv("FHVAE_WORKERS", workers)
    other = attack_all({"code": data}, PARAMS, 1, 0)["code"]
    np.testing.assert_array_equal(other.test, first.test)
    for field in ("dev_eer", "steps", "attacker"):
        assert getattr(other, field) == getattr(first, field)


def test_repeats_and_seeds_are_other_attackers_and_leave_torchs_generator_alone():
    data, _ = make_data(voice=1.0)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = train_attacker(standardize(data), Attacker(0.01, 0), PARAMS, 0).test
    assert torch.equal(torch.rand(3), expected)
    for attacker, seed in ((Attacker(0.01, 1), 0), (Attacker(0.01, 0), 1)):
        assert not np.allclose(
            train_attacker(standardize(data), attacker, PARAMS, seed).test, first
        )


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
    alone = dataclasses.replace(data, dev=LabeledCodes(data.dev.codes, strangers))
    assert attack_all({"code": alone}, PARAMS, 1, 0) == {"code": None}


def test_the_lowest_dev_error_counts_and_of_equals_the_first():
    made = [
        Outcome(Attacker(rate, 0), error, 10, np.zeros((1, 1)))
        for rate, error in ((0.1, 0.3), (0.2, 0.2), (0.3, 0.2))
    ]
    assert best_outcome([None, *made]) is made[1]
    assert best_outcome([None, None]) is None


def test_every_weight_learns():
    network = AttackNetwork(DIMENSION, 3, SMALL)
    logits = network(torch.randn(4, DIMENSION, 5), torch.ones(4, 5))
    assert logits.shape == (4, 3)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0])).backward()
    silent = [name for name, one in network.named_parameters() if not one.grad.any()]
    assert silent == []


@pytest.mark.parametrize("change", [{"input_noise": 0.0}, {"weight_decay": 1.0}])
def test_noise_and_weight_decay_are_those_of_the_params(change):
    data = standardize(make_data(1.0)[0])
    usual, other = (
        train_attacker(data, Attacker(0.01, 0), dataclasses.replace(PARAMS, looks=1, **own), 0)
        for own in ({}, change)
    )
    assert not np.allclose(usual.test, other.test, rtol=1e-2)


def test_no_logit_is_beyond_the_scale_of_the_cosines():
    torch.manual_seed(0)
    codes, present = torch.randn(4, DIMENSION, 5), torch.ones(4, 5)
    network = AttackNetwork(DIMENSION, 3, PARAMS)
    whole = network(codes, present)
    assert whole.abs().max() <= 15
    torch.manual_seed(0)
    torch.randn(4, DIMENSION, 5)  # the same weights again
    small = AttackNetwork(DIMENSION, 3, dataclasses.replace(PARAMS, cosine_scale=3.0))
    torch.testing.assert_close(small(codes, present), whole / 5)


def test_the_look_that_is_best_on_dev_counts_and_not_the_last(monkeypatch):
    errors = iter([0.4, 0.2, 0.2, 0.3])
    monkeypatch.setattr("fhvae.verification.attack.cosine_eer", lambda *_: next(errors))
    outcome = train_attacker(standardize(make_data(1.0)[0]), Attacker(0.01, 0), PARAMS, 0)
    assert (outcome.dev_eer, outcome.steps) == (0.2, 30)  # the second of four looks in 60 steps


def test_embeddings_are_seen_from_the_mean_of_train():
    data = standardize(make_data(1.0)[0])
    own = dataclasses.replace(data, test=data.train.codes)
    of_train, of_test = (
        train_attacker(one, Attacker(0.01, 0), PARAMS, 0).test.mean(axis=0) for one in (own, data)
    )
    np.testing.assert_allclose(of_train, 0, atol=1e-9)
    assert abs(of_test).max() > 1e-3


def test_padding_changes_no_embedding():
    torch.manual_seed(0)
    network = AttackNetwork(DIMENSION, 3, SMALL)
    random = np.random.default_rng(0)
    codes = pack([random.normal(size=(length, DIMENSION)) for length in (4, 9, 1)], "u")
    together = pad_codes(codes, [0, 1, 2])
    assert together.codes.shape == (3, DIMENSION, 9)
    whole = network.embed(together.codes, together.present)
    for place in range(3):
        single = pad_codes(codes, [place])
        alone = network.embed(single.codes, single.present)[0]
        torch.testing.assert_close(whole[place], alone)


def test_codes_are_scaled_by_train_and_a_constant_dimension_stays_finite():
    train = LabeledCodes(pack([np.array([[1.0, 4.0], [3.0, 4.0]])], "u"), ("a",))
    other = pack([np.array([[2.0, 4.0], [5.0, 4.0]])], "v")
    scaled = standardize(AttackData(train, LabeledCodes(other, ("b",)), other))
    np.testing.assert_array_equal(scaled.train.codes.rows, [[-1, 0], [1, 0]])
    for codes in (scaled.dev.codes, scaled.test):
        np.testing.assert_array_equal(codes.rows, [[0, 0], [3, 0]])
        assert codes.rows.dtype == np.float32
