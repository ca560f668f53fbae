"""Rooms: their level, noise and spectrum are what the page promises, and time stands still."""

import numpy as np
import pytest

from fhvae.corpus.espeak.rooms import multi, resample, reverberate, studio
from fhvae.corpus.signals import equalize, to_int16
from fhvae.seeds import generator

LENGTH = 15_013  # a prime: an FFT of this very length would be slow


@pytest.fixture
def speech() -> np.ndarray:
    """Bursts of noise, like syllables."""
    random = np.random.default_rng(0)
    envelope = np.maximum(0, np.sin(np.arange(LENGTH) / 600)) ** 2
    return 0.2 * envelope * random.standard_normal(LENGTH)


def _level_db(signal: np.ndarray) -> float:
    return 10 * np.log10(np.mean(signal**2))


def test_resampling_keeps_a_tone_where_it_was():
    tone = 16_384 * np.sin(2 * np.pi * 441 * np.arange(22_050) / 22_050)
    expected = 0.5 * np.sin(2 * np.pi * 441 * np.arange(16_000) / 16_000)
    heard = resample(tone.astype(np.int16), 22_050)
    assert len(heard) == 16_000
    assert heard[200:-200] == pytest.approx(expected[200:-200], abs=1e-3)


def test_the_studio_is_one_room_at_one_level(speech):
    takes = [studio(speech, generator(0, "room", take)) for take in range(40)]
    levels_db = [_level_db(take) for take in takes]
    assert np.mean(levels_db) == pytest.approx(-26, abs=0.6)
    assert 0.5 < np.std(levels_db) < 1.5
    for take in takes:
        gain = take @ speech / (speech @ speech)
        snr_db = _level_db(gain * speech) - _level_db(take - gain * speech)
        assert 33.8 < snr_db < 36.2


def test_reverberation_leaves_the_direct_sound_where_it_was():
    click = np.zeros(LENGTH)
    click[1000] = 1.0
    heard = reverberate(click, generator(0, "room"))
    assert len(heard) == LENGTH
    assert np.abs(heard[:1000]).max() < 1e-9
    assert heard[1000] == pytest.approx(1.0)
    tail_db = 10 * np.log10(np.sum(heard[1001:] ** 2))
    assert -18.1 < tail_db < -7.9


def test_equalization_keeps_length_and_time():
    click = np.zeros(LENGTH)
    click[5000] = 1.0
    heard = equalize(click, generator(0, "equalization"))
    assert len(heard) == LENGTH
    assert int(np.abs(heard).argmax()) == 5000


def test_every_multi_channel_is_another(speech):
    babble = np.random.default_rng(1).standard_normal(LENGTH)
    takes = [multi(speech, babble, generator(0, "room", take)) for take in range(6)]
    assert {take.shape for take in takes} == {(LENGTH,)}
    assert len({to_int16(take).tobytes() for take in takes}) == 6
    again = multi(speech, babble, generator(0, "room", 0))
    assert np.array_equal(takes[0], again)
