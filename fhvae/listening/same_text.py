"""The same sentence read by another: whose frame says what, and how far two readings are apart.

Two readings are never in step. Where the times of phones are known, each phone of the one is
laid on that of the other, linearly; no other alignment is needed, and pauses have no part.
"""

from collections.abc import Sequence

import numpy as np

from fhvae.corpus.manifest import Phone
from fhvae.corpus.phone_classes import PAUSES
from fhvae.features.f0 import FRAME, HOP, track_f0
from fhvae.features.fbank import SAMPLE_RATE_HZ, log_mel
from fhvae.listening.distances import DB, RANGE_DB, cepstral_distance, f0_difference
from fhvae.params.fbank import FbankParams


def phone_spans(source: Sequence[Phone], target: Sequence[Phone]) -> np.ndarray | None:
    """Lay the phones of two readings side by side.

    Args:
        source, target: in time order.

    Returns:
        `[phone, 4]` in seconds: start and end in the source, start and end in the target; None
        where they are not the same phones.
    """
    ours, theirs = ([one for one in part if one.phone not in PAUSES] for part in (source, target))
    if not ours or [one.phone for one in ours] != [one.phone for one in theirs]:
        return None
    pairs = zip(ours, theirs, strict=True)
    return np.array([(a.start_s, a.end_s, b.start_s, b.end_s) for a, b in pairs])


def target_times(spans: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Find when the target says what the source says at some times; NaN where no phone is.

    Args:
        spans: `[phone, 4]`, as `phone_spans`.
        times_s: `[time]` in the source.
    """
    place = np.searchsorted(spans[:, 0], times_s, side="right") - 1
    start, end, first, last = spans[place].T
    share = (times_s - start) / np.maximum(end - start, 1e-9)
    inside = (place >= 0) & (times_s < end)
    return np.where(inside, first + share * (last - first), np.nan)


def distances_to_reading(
    signal: np.ndarray, reading: np.ndarray, spans: np.ndarray, fbank: FbankParams
) -> dict[str, float]:
    """Measure how far a signal is from another reading of its text.

    Args:
        signal: `[sample]` int16 at 16 kHz, in step with the source of `spans`.
        reading: `[sample]` int16, the target of `spans`.
        spans: `[phone, 4]`, as `phone_spans`.
        fbank: section `fbank`.

    Returns:
        lsd: over the mel bands, one gain for all frames and bands taken off, in dB.
        mcd: mel-cepstral distortion in dB.
        f0: root mean square in semitones; left out where no frame is voiced in both.
        voicing: share of frames voiced in one of the two alone.
    """
    heard, wanted = (log_mel(part, fbank) * (2.0 / fbank.power) for part in (signal, reading))
    hop_s = fbank.hop_ms / 1000
    at = target_times(spans, np.arange(len(heard)) * hop_s)
    known = np.flatnonzero(~np.isnan(at))
    there = np.minimum(np.rint(at[known] / hop_s).astype(np.int64), len(wanted) - 1)
    least = wanted.max() - RANGE_DB / DB
    heard, wanted = (
        np.maximum(part, least).astype(np.float64) for part in (heard[known], wanted[there])
    )
    away = heard - wanted - (heard - wanted).mean()
    found = {
        "lsd": float(DB * np.sqrt(np.square(away).mean(axis=1)).mean()),
        "mcd": cepstral_distance(heard, wanted),
    }
    return found | _f0_apart(signal, reading, spans)


def _f0_apart(signal: np.ndarray, reading: np.ndarray, spans: np.ndarray) -> dict[str, float]:
    heard, wanted = track_f0(signal), track_f0(reading)
    centers = (np.arange(len(heard)) * HOP + FRAME / 2) / SAMPLE_RATE_HZ
    at = target_times(spans, centers)
    known = np.flatnonzero(~np.isnan(at))
    if not len(known) or not len(wanted):
        return {}
    there = np.rint((at[known] * SAMPLE_RATE_HZ - FRAME / 2) / HOP).astype(np.int64)
    apart = f0_difference(heard[known], wanted[np.clip(there, 0, len(wanted) - 1)])
    semitones = {} if apart.semitones is None else {"f0": apart.semitones}
    return semitones | {"voicing": apart.voicing}
