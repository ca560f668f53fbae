"""Noise, rooms and levels are what their names promise, and time stands still."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.corpus.manifest import SAMPLE_RATE_HZ
from fhvae.corpus.signals import (
    at_level,
    colored_noise,
    from_int16,
    hum,
    limiting_gain,
    mix,
    reverberate,
    room_response,
    shaped_noise,
    to_int16,
)
from fhvae.seeds import generator

LENGTH = 15_013  # a prime: an FFT of this very length would be slow


def level_db(signal):
    return 10 * np.log10(np.mean(signal**2))


@pytest.fixture
def speech():
    """Bursts of noise, like syllables."""
    random = np.random.default_rng(0)
    envelope = np.maximum(0, np.sin(np.arange(LENGTH) / 600)) ** 2
    return 0.2 * envelope * random.standard_normal(LENGTH)


@pytest.mark.parametrize("snr_db", [-3.0, 0.0, 12.0])
def test_mix_gives_the_ratio_asked_for(speech, snr_db):
    noise = mix(speech, np.sin(np.arange(LENGTH)), snr_db) - speech
    assert level_db(speech) - level_db(noise) == pytest.approx(snr_db)


def octave_levels_db(noise):
    power = np.abs(np.fft.rfft(noise)) ** 2
    hz = np.fft.rfftfreq(len(noise), 1 / SAMPLE_RATE_HZ)
    octaves = [(low, 2 * low) for low in (250, 500, 1000, 2000)]
    return [10 * np.log10(power[(hz >= low) & (hz < high)].mean()) for low, high in octaves]


@pytest.mark.parametrize(("color", "slope_db"), [("white", 0.0), ("pink", -3.01), ("brown", -6.02)])
def test_noise_falls_as_its_color_says(color, slope_db):
    levels_db = octave_levels_db(colored_noise(2**18, color, generator(0, color)))
    assert np.diff(levels_db).mean() == pytest.approx(slope_db, abs=0.3)


def test_shaped_noise_has_the_spectrum_given():
    """One octave holds 100 times the power per frequency; elsewhere it is flat."""
    hz = np.arange(8001.0)
    power = np.where((hz >= 1000) & (hz < 2000), 100.0, 1.0)
    levels_db = octave_levels_db(shaped_noise(2**18, power, generator(0, "shaped")))
    assert np.array(levels_db) - levels_db[0] == pytest.approx([0, 0, 20, 0], abs=0.5)
    assert len(shaped_noise(LENGTH, power, generator(0, "shaped"))) == LENGTH


def test_hum_lies_on_the_harmonics_of_the_mains():
    power = np.abs(np.fft.rfft(hum(SAMPLE_RATE_HZ, generator(0, "hum")))) ** 2
    strongest = int(power.argmax())
    assert strongest in (50, 60)
    harmonics = [number * strongest for number in range(1, 9)]
    assert power[harmonics].sum() / power.sum() > 0.95


def test_a_room_has_the_energies_and_the_decay_asked_for():
    response = room_response(0.4, 6.0, generator(0, "room"))
    tail = response[1:]
    assert response[0] == 1.0
    assert len(response) == 6400  # 0.4 s
    assert -10 * np.log10(np.sum(tail**2)) == pytest.approx(6.0)
    halves = [level_db(tail[start : start + 400]) for start in (0, 3200)]
    assert halves[0] - halves[1] == pytest.approx(30, abs=1.5)  # half of 60 dB in half the time


def test_reverberation_leaves_the_direct_sound_where_it_was():
    click = np.zeros(LENGTH)
    click[1000] = 1.0
    response = room_response(0.2, 3.0, generator(0, "room"))
    heard = reverberate(click, response)
    assert len(heard) == LENGTH
    assert heard[:1000] == pytest.approx(0, abs=1e-9)
    assert heard[1000 : 1000 + len(response)] == pytest.approx(response, abs=1e-9)


def test_a_level_is_that_of_a_square_wave():
    """Its mean power is that of its peak: at -20 dB of full scale, 0.1."""
    assert np.abs(at_level(np.tile([3.0, -3.0], 50), -20.0)) == pytest.approx(0.1)


def test_a_peak_beyond_full_scale_lowers_the_signal_and_keeps_its_shape():
    signal = np.array([0.5, -2.0, 1.0])
    samples = to_int16(signal)
    assert samples.dtype == np.int16
    assert np.abs(samples).max() < 32_767
    assert samples / samples[1] == pytest.approx(signal / signal[1], abs=1e-4)
    assert limiting_gain(signal) == pytest.approx(0.49)
    assert limiting_gain(signal / 4) == 1.0


def test_int16_rounds_to_the_nearest_step():
    assert to_int16(np.array([0.0, 0.5, -0.5, 1.4 / 32_767])).tolist() == [0, 16_384, -16_384, 1]


@given(st.lists(st.integers(-32_000, 32_000), min_size=1, max_size=20))
def test_what_was_int16_comes_back(values):
    samples = np.array(values, np.int16)
    np.testing.assert_array_equal(to_int16(from_int16(samples)), samples)
