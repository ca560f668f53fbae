"""Controls do what they say, and nothing else."""

import numpy as np
import pytest

from fhvae.conversion.pitch import PitchMove, PitchRange
from fhvae.corpus.signals import from_int16
from fhvae.features.f0 import UNVOICED, track_f0
from fhvae.listening import controls
from fhvae.params.conversion import ConversionParams
from tests.params_factory import fbank_params

RATE = 16_000
FBANK = fbank_params(mels=23)
PARAMS = ConversionParams()


def voice(f0_hz=120.0, seconds=1.2):
    """A tone rich in harmonics whose F0 swings by a twentieth."""
    times = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * (f0_hz * times - f0_hz / 400 * np.cos(20 * times))
    tones = [0.8**n * np.sin(n * phase) for n in range(1, 25)]
    return np.rint(4000 * np.sum(tones, axis=0)).astype(np.int16)


def median_hz(samples):
    f0 = track_f0(samples)
    return float(np.median(f0[f0 != UNVOICED]))


def test_pitch_is_moved_to_that_of_the_references():
    source, references = voice(110.0), [voice(150.0), voice(150.0, 0.9)]
    moved = controls.pitch_moved(source, controls.plan_pitch(source, references, PARAMS))
    assert moved.shape == source.shape
    assert median_hz(np.rint(moved * 32768).astype(np.int16)) == pytest.approx(150.0, rel=0.03)


def test_without_a_move_the_source_stays():
    source = voice()
    assert np.array_equal(controls.pitch_moved(source, None), from_int16(source))
    assert controls.plan_pitch(source, [np.ones(4000, np.int16)], PARAMS) is None


def test_the_equalizer_finds_a_gain_and_applies_it():
    """A reference twice as loud: ln 2 in every band, and the output is as loud."""
    source = voice()
    curve = controls.equalizer(from_int16(source), [source * 2, source * 2], FBANK, 3.0)
    assert curve == pytest.approx(np.full(23, np.log(2)), abs=1e-3)
    found = controls.equalized(from_int16(source), curve, FBANK, PARAMS)
    assert found == pytest.approx(2 * from_int16(source), abs=1e-3)


def test_the_equalizer_is_bounded():
    source = voice() // 32
    curve = controls.equalizer(from_int16(source), [voice()], FBANK, 0.5)
    assert curve == pytest.approx(np.full(23, 0.5))


def test_pauses_of_a_reference_do_not_count():
    source = voice()
    paused = np.concatenate([source, np.zeros(RATE, np.int16)])
    curve = controls.equalizer(from_int16(source), [paused], FBANK, 3.0)
    assert np.abs(curve).max() < 0.2  # 3 if they did


def test_world_moves_pitch_and_gains():
    source = voice(110.0)
    move = PitchMove(PitchRange(np.log(110.0), 0.05), np.log(165.0), 1.0)
    still = controls.world(source, None, np.zeros(23), FBANK)
    moved = controls.world(source, move, np.full(23, np.log(2)), FBANK)
    assert still.shape == moved.shape == source.shape
    assert median_hz(np.rint(moved * 16384).astype(np.int16)) == pytest.approx(165.0, rel=0.03)
    assert np.std(moved) / np.std(still) == pytest.approx(2.0, rel=0.15)


def test_noisereduce_lowers_a_steady_noise():
    hiss = np.random.default_rng(2).normal(0, 300, 2 * RATE)
    noisy = hiss + np.concatenate([np.zeros(RATE), 1.5 * voice(seconds=1.0)])
    found = controls.noisereduce(np.rint(noisy).astype(np.int16))
    assert found.shape == noisy.shape
    alone, voiced = slice(0, RATE // 2), slice(RATE + RATE // 4, 2 * RATE - RATE // 4)
    assert np.std(found[alone]) < 0.5 * np.std(hiss[alone]) / 32768
    assert np.std(found[voiced]) / np.std(found[alone]) > 2 * np.std(noisy[voiced]) / np.std(hiss)
