"""Utterances as sound: read, the part where they speak, and how a telephone passes them on.

A pause holds no signal, so a signal-to-noise ratio over the whole utterance would depend on how
long its pauses are. As in ITU-T P.56 a level within some decibels of the loud parts counts as
active speech; here levels are those of 20 ms frames, and the loud parts are the upper twentieth
of them. A telephone line is 300 to 3400 Hz at 8 kHz, eight bits a sample in mu-law.
"""

import numpy as np

from fhvae.corpus.manifest import SAMPLE_RATE_HZ
from fhvae.corpus.signals import from_int16
from fhvae.errors import CorpusError
from fhvae.features.extraction import Clip

FRAME = 320  # samples: 20 ms at 16 kHz
LOUD_QUANTILE = 0.95  # of the frames that are not all 0
LINE_HZ = 8_000  # ITU-T G.711
BAND_HZ = (300.0, 3400.0)  # of a telephone, ITU-T G.712
TAPS = 257  # the band's edges are about 100 Hz wide
MU = 255.0  # ITU-T G.711, as the smooth curve that its eight straight pieces approximate
STEPS = 127  # seven bits of size; the eighth is the sign


def read_sound(clip: Clip) -> np.ndarray:
    """Read an utterance, `[sample]` float64, full scale 1.

    Raises:
        CorpusError: it is silent throughout: it has no level and no spectrum.
    """
    samples = clip.samples()
    if not samples.any():
        raise CorpusError(f"utterance {clip.utterance_id} must hold sound, every sample is 0")
    return from_int16(samples)


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


def telephone(speech: np.ndarray) -> np.ndarray:
    """Send speech over a telephone line.

    Args:
        speech: `[sample]` at 16 kHz, full scale 1; beyond it the line clips.

    Returns:
        `[sample]` at 16 kHz, as long as `speech`, no sound moved in time. Above 4 kHz nothing
        is left.
    """
    import soxr
    from scipy.signal import fftconvolve, firwin

    narrow = soxr.resample(speech, SAMPLE_RATE_HZ, LINE_HZ, quality="HQ")
    band_pass = firwin(TAPS, BAND_HZ, pass_zero=False, fs=LINE_HZ)
    coded = mu_law(fftconvolve(np.pad(narrow, TAPS // 2), band_pass, mode="valid"))
    wide = soxr.resample(coded, LINE_HZ, SAMPLE_RATE_HZ, quality="HQ")
    return np.asarray(np.pad(wide, (0, max(0, len(speech) - len(wide))))[: len(speech)])


def mu_law(signal: np.ndarray) -> np.ndarray:
    """Round a signal to the 255 levels of 8-bit mu-law: fine near 0, coarse where it is loud."""
    size = np.log1p(MU * np.minimum(np.abs(signal), 1.0)) / np.log1p(MU)
    steps = np.round(STEPS * size) / STEPS
    return np.asarray(np.sign(signal) * np.expm1(steps * np.log1p(MU)) / MU)
