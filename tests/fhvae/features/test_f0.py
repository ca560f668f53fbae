"""F0 of sounds whose F0 is known."""

import numpy as np
import pytest

from fhvae.errors import ArtifactError
from fhvae.features.f0 import FRAME, HOP, mean_log_f0, read_tracks, track_f0
from fhvae.files.packed import PackedWriter

RATE = 16_000


def voice(f0_hz, seconds=0.5, harmonics=12, seed=1):
    """Sum harmonics of random phase, weaker with their number."""
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, harmonics)
    turns = np.cumsum(np.broadcast_to(f0_hz, int(seconds * RATE))) / RATE
    waves = [
        np.sin(2 * np.pi * (n + 1) * turns + phase) / (n + 1) for n, phase in enumerate(phases)
    ]
    return (6000 * np.sum(waves, axis=0)).astype(np.int16)


def mean_of(samples):
    return mean_log_f0(track_f0(samples))


@pytest.mark.parametrize("f0_hz", [70, 95.5, 120, 180, 240, 333])
def test_a_steady_voice(f0_hz):
    assert mean_of(voice(f0_hz)) == pytest.approx(np.log(f0_hz), abs=0.0005)


def test_the_fundamental_may_be_missing():
    """A telephone cuts it off; the period is still there."""
    whole, lowest = voice(125.0).astype(float), voice(125.0, harmonics=1).astype(float)
    assert mean_of((whole - lowest).astype(np.int16)) == pytest.approx(np.log(125), abs=0.01)


def test_the_mean_is_of_the_logarithm():
    glide = voice(np.geomspace(80, 320, RATE), seconds=1.0)
    assert mean_of(glide) == pytest.approx(np.log(160), abs=0.03)  # its mean is 173 Hz


def test_a_frame_holds_the_f0_that_sounds_there():
    f0_hz = np.geomspace(80, 320, RATE)
    f0 = track_f0(voice(f0_hz, seconds=1.0))
    centers = np.arange(len(f0)) * HOP + FRAME // 2
    assert centers[-1] + FRAME // 2 <= RATE < centers[-1] + FRAME // 2 + HOP
    np.testing.assert_allclose(f0, f0_hz[centers], rtol=0.05)


def test_noise_and_silence_do_not_count():
    noise = np.random.default_rng(2).normal(scale=2000, size=RATE).astype(np.int16)
    assert mean_of(noise) is None
    assert mean_of(np.zeros(RATE, np.int16)) is None
    assert mean_of(np.zeros(10, np.int16)) is None
    both = np.concatenate([noise, voice(140), np.zeros(RATE, np.int16)])
    assert mean_of(both) == pytest.approx(np.log(140), abs=0.02)
    voiced = np.flatnonzero(track_f0(both)) * HOP
    assert RATE - FRAME < voiced.min() < voiced.max() < RATE + 8000


@pytest.mark.parametrize("value", [-100.0, np.nan, 16_000.0])
def test_tracks_that_are_no_f0_are_refused(tmp_path, value):
    """The logarithm of a negative one would be a mean that is no number."""
    with PackedWriter(tmp_path / "test", "float64") as writer:
        writer.append("a", np.array([0.0, 120.0, 130.0]))
    assert mean_log_f0(read_tracks(tmp_path / "test").of("a")) == pytest.approx(4.8275, abs=1e-4)
    path = tmp_path / "test.npy"
    path.write_bytes(path.read_bytes()[:-8] + np.float64(value).tobytes())
    with pytest.raises(ArtifactError, match=r"test\.npy.* (F0 in Hz|finite).* found .*; rerun"):
        read_tracks(tmp_path / "test")
