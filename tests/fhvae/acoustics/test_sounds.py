"""Where an utterance speaks; a telephone line: its band, its eight bits, and no delay."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.acoustics.sounds import active_frames, active_samples, frame_power, mu_law, telephone

RATE_HZ = 16_000
FRAME = 320  # 20 ms


def square(amplitudes_db, last=FRAME):
    """Frames of square waves, whose power is known; the last may be shorter."""
    lengths = [FRAME] * (len(amplitudes_db) - 1) + [last]
    return np.concatenate(
        [
            10 ** (level_db / 20) * (-1.0) ** np.arange(length)
            for level_db, length in zip(amplitudes_db, lengths, strict=True)
        ]
    )


def test_the_power_of_a_frame_that_is_cut_short_is_not_too_small():
    power = frame_power(square([0.0, -10.0, -20.0], last=7))
    assert power == pytest.approx([1.0, 0.1, 0.01])


def test_what_lies_within_the_range_of_the_loud_frames_speaks():
    signal = square([-20.0, -49.9, -50.1, -90.0] + [-20.0] * 16, last=100)
    expected = [True, True, False, False] + [True] * 16
    assert active_frames(signal, 30.0).tolist() == expected
    samples = active_samples(signal, 30.0)
    assert samples.shape == signal.shape
    assert np.flatnonzero(~samples).tolist() == list(range(2 * FRAME, 4 * FRAME))


def test_a_click_is_not_what_loud_means():
    """One frame in forty lies 40 dB above speech; it must not turn speech into a pause."""
    assert active_frames(square([0.0] + [-40.0] * 39), 30.0).all()


def test_digital_silence_does_not_pull_the_loud_frames_down():
    """Speech in a tenth of a file that is 0 elsewhere, 20 dB of it within the range."""
    signal = np.concatenate([np.zeros(90 * FRAME), square([-20.0] * 9 + [-60.0])])
    assert np.flatnonzero(active_frames(signal, 30.0)).tolist() == list(range(90, 99))


def test_nothing_speaks_in_digital_silence():
    assert not active_samples(np.zeros(1000), 30.0).any()


@given(st.integers(1, 1000), st.floats(1e-6, 1e3), st.integers(0, 3))
def test_activity_does_not_depend_on_the_level(length, gain, seed):
    signal = np.random.default_rng(seed).standard_normal(length)
    found = active_samples(signal, 25.0)
    assert found.shape == (length,)
    assert found.any()
    np.testing.assert_array_equal(found, active_samples(gain * signal, 25.0))


def tone(hz, samples=16_000, amplitude=0.1):
    return amplitude * np.sin(2 * np.pi * hz * np.arange(samples) / RATE_HZ)


def level_db(signal):
    return 10 * np.log10(np.mean(signal**2))


@pytest.mark.parametrize("hz", [500, 1000, 3000])
def test_a_tone_within_the_band_passes_at_its_place(hz):
    """The difference is the rounding to eight bits: 30 dB down or more, and no delay."""
    sent = tone(hz)
    heard = telephone(sent)
    assert heard.shape == sent.shape
    middle = slice(1000, 15_000)
    assert level_db(heard[middle] - sent[middle]) < level_db(sent) - 30


@pytest.mark.parametrize("hz", [100, 200, 3600, 5000, 7500])
def test_a_tone_outside_the_band_does_not(hz):
    assert level_db(telephone(tone(hz))[1000:15_000]) < level_db(tone(hz)) - 30


def test_above_4_khz_nothing_is_left():
    noise = 0.05 * np.random.default_rng(0).standard_normal(16_000)
    power = np.abs(np.fft.rfft(telephone(noise) * np.hanning(16_000))) ** 2
    hz = np.fft.rfftfreq(16_000, 1 / RATE_HZ)
    assert power[hz > 4200].mean() < 1e-6 * power[(hz > 400) & (hz < 3300)].mean()


@pytest.mark.parametrize("samples", [1, 2, 3, 161, 1001, 16_001])
def test_any_length_is_kept(samples):
    assert telephone(tone(1000, samples)).shape == (samples,)


def test_mu_law_has_255_levels_symmetric_about_0():
    levels = np.unique(mu_law(np.linspace(-1, 1, 200_001)))
    assert len(levels) == 255  # eight bits, and both signs of 0 are the same
    assert levels == pytest.approx(-levels[::-1])
    assert levels[-1] == pytest.approx(1.0)
    assert mu_law(np.array([0.0, 3.0, -3.0])) == pytest.approx([0.0, 1.0, -1.0])


def test_a_level_of_mu_law_is_what_the_equation_says():
    """Step 64 of 127 is ((1 + 255) ** (64 / 127) - 1) / 255 of full scale."""
    level = (256 ** (64 / 127) - 1) / 255
    assert mu_law(np.array([level, 1.01 * level])) == pytest.approx([level, level])


def test_mu_law_rounds_soft_sounds_finer():
    """Its error follows the signal: about 38 dB below it, loud or soft (G.711's figure)."""
    for amplitude in (0.5, 0.05):
        sent = amplitude * np.random.default_rng(1).uniform(-1, 1, 50_000)
        assert level_db(sent) - level_db(mu_law(sent) - sent) == pytest.approx(38, abs=2)
