"""A telephone line: its band, its eight bits, and no delay."""

import numpy as np
import pytest

from fhvae.acoustics.telephone import mu_law, telephone

RATE_HZ = 16_000


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
