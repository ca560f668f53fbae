"""A telephone line: 300 to 3400 Hz at 8 kHz, eight bits a sample in mu-law."""

import numpy as np

from fhvae.corpus.manifest import SAMPLE_RATE_HZ

RATE_HZ = 8_000  # ITU-T G.711
BAND_HZ = (300.0, 3400.0)  # of a telephone, ITU-T G.712
TAPS = 257  # the band's edges are about 100 Hz wide
MU = 255.0  # ITU-T G.711, as the smooth curve that its eight straight pieces approximate
STEPS = 127  # seven bits of size; the eighth is the sign


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

    narrow = soxr.resample(speech, SAMPLE_RATE_HZ, RATE_HZ, quality="HQ")
    band_pass = firwin(TAPS, BAND_HZ, pass_zero=False, fs=RATE_HZ)
    coded = mu_law(fftconvolve(np.pad(narrow, TAPS // 2), band_pass, mode="valid"))
    wide = soxr.resample(coded, RATE_HZ, SAMPLE_RATE_HZ, quality="HQ")
    return np.asarray(np.pad(wide, (0, max(0, len(speech) - len(wide))))[: len(speech)])


def mu_law(signal: np.ndarray) -> np.ndarray:
    """Round a signal to the 255 levels of 8-bit mu-law: fine near 0, coarse where it is loud."""
    size = np.log1p(MU * np.minimum(np.abs(signal), 1.0)) / np.log1p(MU)
    steps = np.round(STEPS * size) / STEPS
    return np.asarray(np.sign(signal) * np.expm1(steps * np.log1p(MU)) / MU)
