"""How far a signal is from a reference that is in step with it, sample by sample.

Nothing is aligned or stretched: conversion and denoising keep the time of their input.
"""

from dataclasses import dataclass

import numpy as np

from fhvae.features.f0 import UNVOICED, track_f0
from fhvae.features.fbank import SAMPLE_RATE_HZ, log_mel
from fhvae.params.fbank import FbankParams

FFT, HOP = 512, 160  # samples at 16 kHz: 32 ms, every 10 ms
CEPSTRA = 13  # of mel-cepstral distortion, the level (number 0) left out, as is usual
DB = 10 / np.log(10)  # of a power whose natural logarithm is 1
LEAST_POWER = 1e-10  # below any spectral power of 16-bit speech, so that no logarithm is infinite
RANGE_DB = 60.0  # of a spectrogram as one looks at it; what lies below is heard as silence
SEMITONES = 12 / np.log(2)  # of a ratio whose natural logarithm is 1


@dataclass(frozen=True)
class F0Error:
    """How far F0 is from that of a reference.

    Attributes:
        semitones: root mean square over frames voiced in both; None where there is none.
        voicing: share of frames voiced in one of the two alone, in [0, 1].
    """

    semitones: float | None
    voicing: float


def si_sdr(signal: np.ndarray, reference: np.ndarray) -> float:
    """Compute the scale-invariant signal-to-distortion ratio in dB (Le Roux et al., 2019).

    Args:
        signal, reference: `[sample]` of one length.

    Returns:
        Higher is nearer; infinite for a scaled copy.
    """
    _check_lengths(signal, reference)
    heard, wanted = (part.astype(np.float64) - part.mean() for part in (signal, reference))
    target = (heard @ wanted) / (wanted @ wanted) * wanted
    distortion = np.square(heard - target).sum()
    with np.errstate(divide="ignore"):
        return float(DB * np.log(np.square(target).sum() / distortion))


def log_spectral_distance(
    signal: np.ndarray, reference: np.ndarray, range_db: float = np.inf
) -> float:
    """Average over frames the root mean square difference of power spectra in dB.

    Args:
        signal, reference: `[sample]` of one length, full scale 1, at 16 kHz.
        range_db: below the loudest bin of the reference; further down counts as there.
    """
    _check_lengths(signal, reference)
    heard, wanted = (DB * np.log(_power(part)) for part in (signal, reference))
    heard, wanted = (np.maximum(part, wanted.max() - range_db) for part in (heard, wanted))
    return float(np.sqrt(np.square(heard - wanted).mean(axis=1)).mean())


def mel_cepstral_distortion(
    signal: np.ndarray, reference: np.ndarray, params: FbankParams, range_db: float = np.inf
) -> float:
    """Average over frames the distance of mel cepstra 1 to 13 in dB (Kubichek, 1993).

    The cepstra are of the log-mel frames that the model sees, made logarithms of power.

    Args:
        signal, reference: `[sample]` int16 of one length, at 16 kHz.
        params: section `fbank`.
        range_db: below the loudest band of the reference; further down counts as there.
    """
    _check_lengths(signal, reference)
    heard, wanted = (log_mel(part, params) * (2 / params.power) for part in (signal, reference))
    heard, wanted = (np.maximum(part, wanted.max() - range_db / DB) for part in (heard, wanted))
    return cepstral_distance(heard, wanted)


def cepstral_distance(heard: np.ndarray, wanted: np.ndarray) -> float:
    """Average over frames how far log spectra of power are apart in their first cepstra, in dB.

    It is the root mean square difference of the two spectra, smoothed to 13 cepstra, without level.

    Args:
        heard, wanted: `[frame, mel]`, natural logarithms.
    """
    from scipy.fft import dct

    cepstra = dct(heard - wanted, axis=1, norm="ortho")[:, 1 : CEPSTRA + 1]
    return float(DB * np.sqrt(np.square(cepstra).sum(axis=1) / heard.shape[1]).mean())


def f0_error(signal: np.ndarray, reference: np.ndarray) -> F0Error:
    """Compare F0 frame by frame.

    Args:
        signal, reference: `[sample]` int16 of one length, at 16 kHz, at least 64 ms.
    """
    _check_lengths(signal, reference)
    return f0_difference(track_f0(signal), track_f0(reference))


def f0_difference(heard: np.ndarray, wanted: np.ndarray) -> F0Error:
    """Compare two tracks of F0, `[frame]` in Hz each, at least one frame, `UNVOICED` allowed."""
    both = (heard != UNVOICED) & (wanted != UNVOICED)
    away = SEMITONES * np.log(heard[both] / wanted[both])
    return F0Error(
        semitones=float(np.sqrt(np.square(away).mean())) if both.any() else None,
        voicing=float(((heard != UNVOICED) != (wanted != UNVOICED)).mean()),
    )


def intelligibility(signal: np.ndarray, reference: np.ndarray) -> float:
    """Compute STOI (Taal et al., 2011) by pystoi.

    Args:
        signal, reference: `[sample]` of one length, at 16 kHz.

    Returns:
        About 0 for noise, 1 for the reference itself.
    """
    from pystoi import stoi

    _check_lengths(signal, reference)
    return float(stoi(reference, signal, SAMPLE_RATE_HZ))


def _power(signal: np.ndarray) -> np.ndarray:
    """Compute power spectra of frames, `[frame, frequency]`."""
    padded = np.pad(np.asarray(signal, np.float64), (0, max(0, FFT - len(signal))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP]
    return np.maximum(np.square(np.abs(np.fft.rfft(frames * np.hanning(FFT)))), LEAST_POWER)


def _check_lengths(signal: np.ndarray, reference: np.ndarray) -> None:
    if signal.shape != reference.shape or signal.ndim != 1 or len(signal) == 0:
        raise ValueError(
            f"signal and reference must be [sample] of one length, "
            f"got {signal.shape} and {reference.shape}"
        )
