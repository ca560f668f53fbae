"""F0 of sounds whose F0 is known."""

import numpy as np
import pytest

from fhvae.features.f0 import mean_log_f0, measure_f0
from fhvae.files.packed import Packed
from tests.stages.stage_runner import each_number_of_workers

RATE = 16_000


def voice(f0_hz, seconds=0.5, harmonics=12, seed=1):
    """Sum harmonics of random phase, weaker with their number."""
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, harmonics)
    turns = np.cumsum(np.broadcast_to(f0_hz, int(seconds * RATE))) / RATE
    waves = [
        np.sin(2 * np.pi * (n + 1) * turns + phase) / (n + 1) for n, phase in enumerate(phases)
    ]
    return (6000 * np.sum(waves, axis=0)).astype(np.int16)


@pytest.mark.parametrize("f0_hz", [70, 95.5, 120, 180, 240, 333])
def test_a_steady_voice(f0_hz):
    assert mean_log_f0(voice(f0_hz)) == pytest.approx(np.log(f0_hz), abs=0.01)


def test_the_fundamental_may_be_missing():
    """A telephone cuts it off; the period is still there."""
    whole, lowest = voice(125.0).astype(float), voice(125.0, harmonics=1).astype(float)
    assert mean_log_f0((whole - lowest).astype(np.int16)) == pytest.approx(np.log(125), abs=0.01)


def test_the_mean_is_of_the_logarithm():
    glide = voice(np.geomspace(80, 320, RATE), seconds=1.0)
    assert mean_log_f0(glide) == pytest.approx(np.log(160), abs=0.03)  # its mean is 173 Hz


def test_noise_and_silence_do_not_count():
    noise = np.random.default_rng(2).normal(scale=2000, size=RATE).astype(np.int16)
    assert mean_log_f0(noise) is None
    assert mean_log_f0(np.zeros(RATE, np.int16)) is None
    assert mean_log_f0(np.zeros(10, np.int16)) is None
    both = np.concatenate([noise, voice(140), np.zeros(RATE, np.int16)])
    assert mean_log_f0(both) == pytest.approx(np.log(140), abs=0.02)


@each_number_of_workers
def test_utterances_keep_their_names_with_any_number_of_workers(monkeypatch, workers):
    monkeypatch.setattr("fhvae.features.f0.CHUNK", 2)
    parts = [voice(90), np.zeros(3000, np.int16), voice(200, seconds=0.3)]
    lengths = np.array([len(part) for part in parts])
    packed = Packed(np.concatenate(parts), ("a", "b", "c"), np.cumsum(lengths) - lengths, lengths)
    monkeypatch.setenv("FHVAE_WORKERS", workers)
    found = measure_f0(packed)
    assert found["a"] == pytest.approx(np.log(90), abs=0.01)
    assert found["b"] is None
    assert found["c"] == pytest.approx(np.log(200), abs=0.01)
