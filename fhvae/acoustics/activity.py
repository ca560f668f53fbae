"""Where an utterance speaks: the part on which a signal-to-noise ratio is measured.

A pause holds no signal, so a ratio over the whole utterance would depend on how long its pauses
are. As in ITU-T P.56 a level within some decibels of the loud parts counts as speech; here
levels are those of 20 ms frames, and the loud parts are the upper twentieth of them.
"""

import numpy as np

FRAME = 320  # samples: 20 ms at 16 kHz
LOUD_QUANTILE = 0.95  # of the frames that are not all 0


def frame_power(signal: np.ndarray) -> np.ndarray:
    """Measure the mean power of consecutive 20 ms frames, `[frame]`; the last may be shorter."""
    starts = np.arange(0, len(signal), FRAME)
    energy = np.add.reduceat(np.square(signal), starts)
    return np.asarray(energy / np.diff(np.append(starts, len(signal))))


def active_frames(signal: np.ndarray, range_db: float) -> np.ndarray:
    """Find the frames within `range_db` of the loud ones, `[frame]` bool; none in silence."""
    power = frame_power(signal)
    if not power.any():
        return power > 0
    loud = np.quantile(power[power > 0], LOUD_QUANTILE)
    return np.asarray(power >= loud * 10 ** (-range_db / 10))


def active_samples(signal: np.ndarray, range_db: float) -> np.ndarray:
    """Find the samples of the active frames, `[sample]` bool."""
    return np.asarray(np.repeat(active_frames(signal, range_db), FRAME)[: len(signal)])
