"""F0 from the autocorrelation of frames (Boersma, 1993).

A frame's F0 is the inverse of the lag at which it resembles itself most. The autocorrelation is
divided by that of the window, so a periodic frame reaches 1 at its period; a small cost of long
lags keeps the period from being taken twice.
"""

from pathlib import Path

import numpy as np

from fhvae.errors import ArtifactError
from fhvae.features.extraction import Clip
from fhvae.features.fbank import SAMPLE_RATE_HZ
from fhvae.files.packed import TRACK, Packed, read_packed

FRAME = 1024  # samples, 64 ms: four periods of the lowest F0
HOP = 320  # samples, 20 ms
LOWEST_HZ, HIGHEST_HZ = 62.5, 400.0  # of speaking voices
OCTAVE_COST = 0.02  # of the autocorrelation, per octave of lag
VOICED = 0.6  # autocorrelation at the period, at least
LOUD = 0.03  # of the loudest frame's amplitude, at least
UNVOICED = 0.0  # in place of an F0


def track_f0(samples: np.ndarray) -> np.ndarray:
    """Follow F0 through an utterance.

    Args:
        samples: `[sample]` int16 at 16 kHz.

    Returns:
        `[frame]` float64 in Hz, `UNVOICED` where no voice is heard. Frame k holds the 64 ms from
        k * 20 ms on; an utterance shorter than that has none.
    """
    if len(samples) < FRAME:
        return np.empty(0)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP].astype(np.float64)
    frames = frames - frames.mean(axis=1, keepdims=True)
    loudness = np.sqrt(np.square(frames).mean(axis=1))
    heard = (loudness > 0) & (loudness >= LOUD * loudness.max())
    f0 = np.full(len(frames), UNVOICED)
    if heard.any():
        lags, strengths = _periods(frames[heard])
        f0[heard] = np.where(strengths >= VOICED, SAMPLE_RATE_HZ / lags, UNVOICED)
    return f0


def track_clip(clip: Clip) -> np.ndarray:
    """Follow F0 through an utterance of a packed file, as `track_f0`."""
    return track_f0(clip.samples())


def read_tracks(stem: Path) -> Packed:
    """Read the tracks of a split, `[frame]` float64 in Hz each.

    Raises:
        ArtifactError: they are missing or broken, or a number is no F0.
    """
    packed = read_packed(stem, TRACK)
    rows = packed.take(np.arange(len(packed.rows)))
    if (wrong := rows[(rows != UNVOICED) & ~((rows > 0) & (rows < SAMPLE_RATE_HZ))]).size:
        raise ArtifactError(
            f"{stem}.npy must hold F0 in Hz, or {UNVOICED:g} without a voice, found {wrong[0]:g}; "
            "rerun the stage f0"
        )
    return packed


def mean_log_f0(f0: np.ndarray) -> float | None:
    """Average the natural log of F0 in Hz over the voiced frames; None where there is none."""
    voiced = f0[f0 != UNVOICED]
    return float(np.log(voiced).mean()) if len(voiced) else None


def _periods(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the period of each frame in samples, and its autocorrelation there."""
    window = np.hanning(FRAME)
    own = _autocorrelation(window[None])[0]
    found = _autocorrelation(frames * window)
    found = found / found[:, :1] / (own / own[0])
    first, last = int(SAMPLE_RATE_HZ / HIGHEST_HZ), int(SAMPLE_RATE_HZ / LOWEST_HZ)
    lags = np.arange(first, last + 1)
    inside = found[:, first : last + 1]
    peak = (inside >= found[:, first - 1 : last]) & (inside >= found[:, first + 1 : last + 2])
    scores = np.where(peak, inside - OCTAVE_COST * np.log2(lags / first), -np.inf)
    best = np.argmax(scores, axis=1)
    row = np.arange(len(found))
    before, middle, after = (found[row, first + best + step] for step in (-1, 0, 1))
    bend = 2 * middle - before - after
    shift = np.where(bend > 0, (after - before) / 2 / np.where(bend > 0, bend, 1), 0)
    strength = np.where(peak.any(axis=1), middle, 0)
    return lags[best] + shift, strength


def _autocorrelation(frames: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(frames, 2 * FRAME, axis=1)
    return np.fft.irfft(np.square(np.abs(spectrum)), axis=1)[:, :FRAME]
