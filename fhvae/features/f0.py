"""Mean log F0 of an utterance, from its autocorrelation (Boersma, 1993).

A frame's F0 is the lag at which it resembles itself most. The autocorrelation is divided by
that of the window, so a periodic frame reaches 1 at its period; a small cost of long lags keeps
the period from being taken twice.
"""

from collections.abc import Mapping

import numpy as np

from fhvae.features.fbank import SAMPLE_RATE_HZ
from fhvae.files.packed import Packed
from fhvae.parallel import map_in_order

FRAME = 1024  # samples, 64 ms: four periods of the lowest F0
HOP = 320  # samples, 20 ms
LOWEST_HZ, HIGHEST_HZ = 62.5, 400.0  # of speaking voices
OCTAVE_COST = 0.02  # of the autocorrelation, per octave of lag
VOICED = 0.6  # autocorrelation at the period, at least
LOUD = 0.03  # of the loudest frame's amplitude, at least
CHUNK = 32  # utterances sent to a worker at a time


def mean_log_f0(samples: np.ndarray) -> float | None:
    """Average the natural log of F0 in Hz over the voiced frames; None where there is none.

    Args:
        samples: `[sample]` int16 at 16 kHz.
    """
    if len(samples) < FRAME:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP].astype(np.float64)
    frames = frames - frames.mean(axis=1, keepdims=True)
    loudness = np.sqrt(np.square(frames).mean(axis=1))
    heard = frames[(loudness > 0) & (loudness >= LOUD * loudness.max())]
    if len(heard) == 0:
        return None
    lags, strengths = _periods(heard)
    voiced = lags[strengths >= VOICED]
    return float(np.log(SAMPLE_RATE_HZ / voiced).mean()) if len(voiced) else None


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


def measure_f0(samples: Packed) -> Mapping[str, float | None]:
    """Measure the mean log F0 of all utterances, by id."""
    places = range(0, len(samples), CHUNK)
    chunks = [
        [np.array(samples[place]) for place in range(start, min(start + CHUNK, len(samples)))]
        for start in places
    ]
    found = [one for part in map_in_order(_measure_all, chunks, "F0", unit="part") for one in part]
    return dict(zip(samples.utterance_ids, found, strict=True))


def _measure_all(utterances: list[np.ndarray]) -> list[float | None]:
    return [mean_log_f0(samples) for samples in utterances]
