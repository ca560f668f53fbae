"""What FHVAE's conversion and denoising are compared with: ways to do it that know no FHVAE.

pitch         the source with its pitch moved to the target's
equalizer     that, with the mean spectrum of the target: one gain per band for all frames
world         the same pitch and the same gains, by WORLD
noisereduce   a noisy input by spectral gating
"""

from collections.abc import Sequence

import numpy as np

from fhvae.conversion.change import OVERLAP, filtered
from fhvae.conversion.gain import bands_to_bins
from fhvae.conversion.pitch import (
    PitchMove,
    at_rate,
    lay_grains,
    pitch_move,
    pitch_range,
    plan_grains,
    track_pitch,
)
from fhvae.corpus.signals import from_int16, to_int16
from fhvae.features.f0 import HIGHEST_HZ, LOWEST_HZ
from fhvae.features.fbank import SAMPLE_RATE_HZ, log_mel
from fhvae.params.conversion import ConversionParams
from fhvae.params.fbank import FbankParams
from fhvae.recording import from_samples, mixed

ACTIVE_DB = 30.0  # below the 95th percentile of frame energies a frame is a pause


def plan_pitch(
    source: np.ndarray, references: Sequence[np.ndarray], params: ConversionParams
) -> PitchMove | None:
    """Plan the move of pitch that the conversion makes, from the same F0.

    Args:
        source: `[sample]` int16 at 16 kHz, as each of `references`.
        references: of the target.
        params: bounds of the move.
    """
    tracks = np.concatenate([_track(one) for one in references])
    return pitch_move(pitch_range(_track(source)), pitch_range(tracks), params)


def _track(samples: np.ndarray) -> np.ndarray:
    with mixed(from_samples(samples, SAMPLE_RATE_HZ)) as mix:
        return track_pitch(mix)


def pitch_moved(source: np.ndarray, move: PitchMove | None) -> np.ndarray:
    """Move the pitch of `[sample]` int16 at 16 kHz, nothing else; full scale is then 1."""
    if move is None:
        return from_int16(source)
    with mixed(from_samples(source, SAMPLE_RATE_HZ)) as mix:
        grains = at_rate(plan_grains(mix, track_pitch(mix), move), SAMPLE_RATE_HZ, len(source))
    return lay_grains(from_int16(source)[:, None], 0, grains, 0, len(source))[:, 0]


def equalizer(
    moved: np.ndarray, references: Sequence[np.ndarray], fbank: FbankParams, most_gain: float
) -> np.ndarray:
    """Compare mean spectra of active frames: what the references have more, `[mel]` in nats.

    It knows all that the references say of the mean spectrum, and nothing of FHVAE.

    Args:
        moved: `[sample]`, full scale 1: the source with its pitch moved.
        references: `[sample]` int16 each.
        fbank: section `fbank`.
        most_gain: bound of the gain.
    """
    wanted = np.concatenate([_active_nats(one, fbank) for one in references]).mean(axis=0)
    step = wanted - _active_nats(to_int16(moved), fbank).mean(axis=0)
    return np.asarray(np.clip(step, -most_gain, most_gain))


def _active_nats(samples: np.ndarray, fbank: FbankParams) -> np.ndarray:
    """Compute log amplitudes of the frames that are no pause, `[frame, mel]`."""
    nats = log_mel(samples, fbank).astype(np.float64) / fbank.power
    decibels = 10 * np.log10(np.exp(2 * nats).sum(axis=1))
    return np.asarray(nats[decibels > np.percentile(decibels, 95) - ACTIVE_DB])


def equalized(
    moved: np.ndarray, curve: np.ndarray, fbank: FbankParams, params: ConversionParams
) -> np.ndarray:
    """Multiply every spectrum by the same gains, in the windows of the conversion.

    Args:
        moved: `[sample]`, full scale 1.
        curve: `[mel]` in nats, as `equalizer`.
        fbank: section `fbank`.
        params: length of the window.
    """
    hop = round(SAMPLE_RATE_HZ * params.window_ms / 1000 / OVERLAP)
    window = hop * OVERLAP
    gains = np.exp(curve @ bands_to_bins(fbank, window, SAMPLE_RATE_HZ))
    first, last = -(OVERLAP // 2), len(moved) // hop + OVERLAP // 2 + 1
    all_alike = np.broadcast_to(gains, (last - first + 1, len(gains)))
    beside = np.pad(moved, window)[:, None]
    return filtered(beside, -window, all_alike, first, hop, 0, len(moved))[:, 0]


def world(
    source: np.ndarray, move: PitchMove | None, curve: np.ndarray, fbank: FbankParams
) -> np.ndarray:
    """Take speech apart by WORLD (Morise et al., 2016), and put it together changed.

    F0 by DIO and StoneMask, spectrum by CheapTrick, aperiodicity by D4C, of the package pyworld.

    Args:
        source: `[sample]` int16 at 16 kHz.
        move: of F0.
        curve: `[mel]` in nats, as `equalizer`: on the envelope.
        fbank: section `fbank`.
    """
    import pyworld

    wave = from_int16(source).astype(np.float64)
    rough, times = pyworld.dio(wave, SAMPLE_RATE_HZ, f0_floor=LOWEST_HZ, f0_ceil=HIGHEST_HZ)
    f0 = pyworld.stonemask(wave, rough, times, SAMPLE_RATE_HZ)
    envelope = pyworld.cheaptrick(wave, f0, times, SAMPLE_RATE_HZ)
    noise = pyworld.d4c(wave, f0, times, SAMPLE_RATE_HZ)
    voiced = f0 > 0
    if move is not None:
        f0[voiced] *= move.ratio(f0[voiced])
    bins = bands_to_bins(fbank, 2 * (envelope.shape[1] - 1), SAMPLE_RATE_HZ)
    envelope *= np.exp(2 * curve @ bins)
    made = pyworld.synthesize(f0, envelope, noise, SAMPLE_RATE_HZ)
    return np.asarray(np.pad(made, (0, max(0, len(source) - len(made))))[: len(source)])


def noisereduce(noisy: np.ndarray) -> np.ndarray:
    """Lower what is stationary, by spectral gating of the package noisereduce, `[sample]`.

    Args:
        noisy: `[sample]` int16 at 16 kHz; no part is told to be noise alone.
    """
    import noisereduce

    wave = from_int16(noisy).astype(np.float64)
    return np.asarray(noisereduce.reduce_noise(y=wave, sr=SAMPLE_RATE_HZ, stationary=True))
