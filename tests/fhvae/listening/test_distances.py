"""Distances of signals whose distance is known."""

from dataclasses import replace

import numpy as np
import pytest

from fhvae.features.fbank import mel_filters
from fhvae.listening.distances import (
    cepstral_distance,
    f0_error,
    intelligibility,
    log_spectral_distance,
    mel_cepstral_distortion,
    si_sdr,
)
from fhvae.params.fbank import FbankParams

RATE = 16_000
FBANK = FbankParams(
    window_ms=25.0, hop_ms=10.0, fft_size=512, mels=23, preemphasis=0.97, power=1.0,
    log_floor=-20.0, store="float32", silent_share=0.05,
)  # fmt: skip


def noise(seconds=0.7, seed=1):
    return np.random.default_rng(seed).normal(scale=0.1, size=int(seconds * RATE))


def voice(f0_hz, seconds=0.9, ends_s=None):
    """Sum harmonics; after `ends_s` there is noise."""
    times = np.arange(int(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * f0_hz * n * times + n * n) / n for n in range(1, 12)) * 6000
    if ends_s is not None:
        rest = times >= ends_s
        tone[rest] = np.random.default_rng(3).normal(scale=3000, size=rest.sum())
    return tone.astype(np.int16)


@pytest.mark.parametrize("ratio_db", [-5.0, 0.0, 17.0])
def test_si_sdr_is_the_ratio_of_orthogonal_parts_whatever_the_scale(ratio_db):
    reference, other = noise(seed=1), noise(seed=2)
    reference, other = reference - reference.mean(), other - other.mean()
    other -= (other @ reference) / (reference @ reference) * reference
    other *= np.sqrt((reference @ reference) / (other @ other)) * 10 ** (-ratio_db / 20)
    assert si_sdr(3.7 * (reference + other), reference) == pytest.approx(ratio_db, abs=1e-6)


def test_a_louder_copy_is_so_many_db_away_in_every_spectrum():
    sound = noise()
    assert log_spectral_distance(10 ** (4 / 20) * sound, sound) == pytest.approx(4.0, abs=1e-6)
    assert log_spectral_distance(sound, sound) == 0.0


@pytest.mark.parametrize(("number", "heard"), [(0, False), (1, True), (13, True), (14, False)])
def test_cepstral_distance_is_the_rms_difference_of_smooth_spectra(number, heard):
    """A ripple of 6 dB up and down is 6 / sqrt(2) dB in the root mean square."""
    ripple = np.cos(np.pi * number * (np.arange(23) + 0.5) / 23)
    frames = np.random.default_rng(4).normal(size=(5, 23))
    moved = frames + 6 * np.log(10) / 10 * ripple
    assert cepstral_distance(moved, frames) == pytest.approx(6 / np.sqrt(2) * heard, abs=1e-9)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_mel_cepstral_distortion_is_of_power_whatever_the_frames_are_of(power):
    """A filter of one tilt in every frame, far from silence."""
    sound = noise() * 8000
    tilted = np.append(
        sound[0], sound[1:] + 0.9 * sound[:-1]
    )  # from +5.6 dB at 0 to -20 dB at 8 kHz
    pair = tilted.astype(np.int16), sound.astype(np.int16)
    found = mel_cepstral_distortion(*pair, replace(FBANK, power=power))
    frequencies = mel_filters(FBANK) @ np.linspace(0, np.pi, 257) / mel_filters(FBANK).sum(axis=1)
    tilt = np.log(np.square(np.abs(1 + 0.9 * np.exp(-1j * frequencies))))
    assert found == pytest.approx(cepstral_distance(tilt[None], np.zeros((1, 23))), rel=0.15)


def test_f0_error_in_semitones_and_of_voicing():
    octave = f0_error(voice(240.0), voice(120.0))
    assert octave.semitones == pytest.approx(12.0, abs=0.05)
    assert octave.voicing == 0.0
    half = f0_error(voice(120.0, ends_s=0.45), voice(120.0))
    assert half.semitones == pytest.approx(0.0, abs=0.05)
    assert half.voicing == pytest.approx(0.5, abs=0.08)


def test_f0_error_where_nothing_is_voiced_in_both():
    hiss = (noise() * 8000).astype(np.int16)
    found = f0_error(hiss, voice(150.0, seconds=0.7))
    assert found.semitones is None
    assert found.voicing > 0.9


@pytest.mark.parametrize("measure", [si_sdr, log_spectral_distance, f0_error])
def test_lengths_must_agree(measure):
    with pytest.raises(ValueError, match=r"of one length, got \(5,\) and \(6,\)"):
        measure(np.ones(5), np.ones(6))


def test_intelligibility_falls_with_noise():
    clean = voice(120.0, seconds=2.0) / 32768 * (1 + np.sin(np.arange(32000) / 800))
    hiss = noise(seconds=2.0)
    found = [intelligibility(clean + scale * hiss, clean) for scale in (0.0, 0.3, 3.0)]
    assert found[0] == pytest.approx(1.0, abs=1e-6)
    assert found[0] > found[1] > found[2]
