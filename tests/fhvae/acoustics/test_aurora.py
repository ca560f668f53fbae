"""Aurora-4's pattern: the shares of its training mixture, and 14 conditions to be tested in."""

import dataclasses
import typing

import numpy as np
import pytest

from fhvae.acoustics import aurora
from fhvae.acoustics.noises import speech_spectrum
from fhvae.acoustics.plan import NoisePool, Voices, plan_copies
from fhvae.acoustics.render import Acoustics, degrade
from fhvae.acoustics.sounds import read_sound
from fhvae.params.domain_names import AURORA_TEST, AURORA_TRAIN, Domain
from fhvae.params.domains import learned_domains, scored_domains
from fhvae.params.whole import load_params
from tests.fhvae.acoustics.made_up_sounds import burst, pack

DOMAINS = load_params().domains
LENGTH = 8003


@pytest.fixture
def clips(tmp_path):
    sounds = {f"u{place}": burst(LENGTH, place) for place in range(3)}
    return pack(tmp_path / "test", sounds)


@pytest.fixture
def pool(clips):
    domains = dataclasses.replace(DOMAINS, babble_voices=2)
    return NoisePool((), Voices(("a", "b", "c"), tuple((clip,) for clip in clips)), domains)


def plans(domain, clips, pool, seed=0):
    owner = {clip.utterance_id: "abc"[place] for place, clip in enumerate(clips)}
    return plan_copies(domain, clips, owner, pool, seed)


def test_the_names_are_those_of_the_params():
    known = {name for name in typing.get_args(Domain) if name.startswith("aurora")}
    assert known == set(aurora.DOMAINS)
    assert AURORA_TRAIN == (aurora.MULTI,)
    assert set(AURORA_TEST) == set(aurora.TESTS)
    assert 1 + len(aurora.TESTS) == 14  # with the corpus itself, condition A


def test_the_set_is_spelled_out_once():
    both = dataclasses.replace(DOMAINS, train=("noise10", "aurora4"), test=("aurora_c", "aurora4"))
    assert learned_domains(both) == ("noise10", "aurora_multi")
    assert len(scored_domains(both)) == 13
    assert scored_domains(both)[0] == "aurora_c"


@pytest.mark.parametrize(
    ("microphone", "share", "least", "most"), [(0.5, 0.75, 10, 20), (0.2, 0.9, -3, 0)]
)
def test_the_training_mixture_has_the_shares_and_ratios_asked_for(microphone, share, least, most):
    draws = [
        aurora.draw_training(microphone, share, (least, most), np.random.default_rng(seed))
        for seed in range(4000)
    ]
    second = np.array([draw.second_microphone for draw in draws])
    noisy = np.array([draw.snr_db is not None for draw in draws])
    assert second.mean() == pytest.approx(microphone, abs=0.03)
    assert noisy[second].mean() == pytest.approx(share, abs=0.03)
    assert noisy[~second].mean() == pytest.approx(share, abs=0.03)
    ratios = [draw.snr_db for draw in draws if draw.snr_db is not None]
    assert least <= min(ratios) < least + 0.1
    assert most - 0.1 < max(ratios) <= most
    assert {draw.noise for draw in draws} == {"", *aurora.NOISES}


def test_a_plan_reads_shares_and_ratios_from_the_params(clips, pool):
    fixed = dataclasses.replace(
        pool.domains,
        aurora_second_microphone=1.0,
        aurora_noisy=1.0,
        aurora_train_db=(7.0, 7.0),
        aurora_test_db=(-3.0, -3.0),
    )
    pool = dataclasses.replace(pool, domains=fixed)
    learned, tested = plans(aurora.MULTI, clips, pool), plans("aurora_b_hum", clips, pool)
    assert {(copy.second_microphone, copy.snr_db) for copy in learned} == {(True, 7.0)}
    assert {copy.snr_db for copy in tested} == {-3.0}
    never = dataclasses.replace(fixed, aurora_second_microphone=0.0, aurora_noisy=0.0)
    learned = plans(aurora.MULTI, clips, dataclasses.replace(pool, domains=never))
    assert {(copy.second_microphone, copy.snr_db) for copy in learned} == {(False, None)}


@pytest.mark.parametrize("kind", aurora.NOISES)
def test_group_d_is_group_b_through_the_second_microphone(clips, pool, kind):
    for first, second in zip(
        plans(f"aurora_b_{kind}", clips, pool), plans(f"aurora_d_{kind}", clips, pool), strict=True
    ):
        assert not first.second_microphone
        assert second.second_microphone
        assert 5 <= first.snr_db <= 15
        same = {"domain": "", "second_microphone": False}
        assert dataclasses.replace(first, **same) == dataclasses.replace(second, **same)


@pytest.mark.parametrize("domain", ["aurora_c", "aurora_d_pink", "aurora_b_hum", "aurora_b_babble"])
def test_a_copy_has_the_microphone_and_the_ratio_of_its_plan(clips, pool, domain):
    sound = Acoustics(DOMAINS, speech_spectrum(clips, 0))
    plan = plans(domain, clips, pool)[1]
    made = degrade(sound, plan)
    assert made.draws.microphone == ("second" if "_b_" not in domain else "")
    assert len(made.signal) == LENGTH
    if plan.snr_db is None:
        assert made.draws.snr_db is None
        assert not np.allclose(made.signal, read_sound(plan.clip), atol=1e-3)
    else:
        assert made.draws.snr_db == pytest.approx(plan.snr_db, abs=0.2)


def test_a_draw_depends_on_seed_and_utterance_alone(clips, pool):
    found = plans(aurora.MULTI, clips, pool)
    assert plans(aurora.MULTI, clips[::-1], pool)[-1].snr_db == found[0].snr_db
    reseeded = [plans(aurora.MULTI, clips, pool, seed) for seed in range(1, 4)]
    assert any(other != found for other in reseeded)
