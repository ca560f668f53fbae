"""Waveform -> log-mel frames, as the authors' second code makes them.

Centered frames over a reflected edge, pre-emphasis, a Hamming window, the mel sum of the
magnitude spectrum (Slaney's scale, triangles of height 1) and a floored natural logarithm.
The choices and their evidence: docs/decisions/0003-fbank.md.
"""

from functools import lru_cache

import numpy as np

from fhvae.errors import ParamsError
from fhvae.params.fbank import FbankParams

SAMPLE_RATE_HZ = 16_000  # equal to that of fhvae.corpus; a test holds them together
FULL_SCALE = 32768  # int16 steps from 0 to 1.0
BLOCK_BYTES = 1 << 18  # of frames, transformed at a time: what librosa does, to the last bit


def hop_samples(hop_ms: float) -> int:
    """Convert the hop to samples.

    Raises:
        ParamsError: it is no whole number of samples.
    """
    return _whole_samples("hop_ms", hop_ms)


def frame_count(samples: int, hop_ms: float) -> int:
    """Count the frames of an utterance of that many samples: `1 + floor(samples / hop)`."""
    return 1 + samples // hop_samples(hop_ms)


def frame_time_s(frame: int, hop_ms: float) -> float:
    """Time of the center of a frame, in seconds from the start of the utterance."""
    return frame * hop_ms / 1000


def log_mel(samples: np.ndarray, params: FbankParams) -> np.ndarray:
    """Compute log-mel frames.

    Args:
        samples: `[sample]` int16 at 16 kHz, at least one.
        params: section `fbank`.

    Returns:
        `[frame, mel]` float32, natural logarithm, at least `params.log_floor`; frame `k` is
        centered on sample `k * hop`.

    Raises:
        ValueError: no sample, or another type than int16.
        ParamsError: the section cannot be used.

    Source:
        paper-map: fbank; docs/decisions/0003-fbank.md.
    """
    if samples.dtype != np.int16 or samples.ndim != 1 or len(samples) == 0:
        raise ValueError(f"samples must be [sample] int16, got {samples.shape} {samples.dtype}")
    filters, taper = mel_filters(params), window(params)
    waveform = _preemphasize(samples / np.float32(FULL_SCALE), params.preemphasis)
    # numpy reflects again and again where the utterance is shorter than half a spectrum
    padded = np.pad(waveform, params.fft_size // 2, mode="reflect")
    spectrum = _spectrum(padded, taper, params.fft_size, hop_samples(params.hop_ms))
    mel = filters @ np.abs(spectrum) ** params.power
    with np.errstate(divide="ignore"):  # digital silence: -inf, then the floor
        floored = np.maximum(np.log(mel), params.log_floor)
    return np.ascontiguousarray(floored.T, dtype=np.float32)


def _spectrum(waveform: np.ndarray, taper: np.ndarray, fft_size: int, hop: int) -> np.ndarray:
    """Transform frames under a window that stands in the middle of each, `[frequency, frame]`."""
    from scipy.fft import rfft

    before = (fft_size - len(taper)) // 2
    padded = np.pad(taper, (before, fft_size - len(taper) - before))[:, None]
    frames = np.lib.stride_tricks.sliding_window_view(waveform, fft_size)[::hop].T
    spectrum = np.empty((fft_size // 2 + 1, frames.shape[1]), np.complex64, order="F")
    block = max(1, BLOCK_BYTES // (4 * fft_size))
    for start in range(0, frames.shape[1], block):
        part = slice(start, start + block)
        spectrum[:, part] = rfft(padded * frames[:, part], axis=0)
    return spectrum


def hz_to_mel(hz: np.ndarray) -> np.ndarray:
    """Slaney's scale: linear to 1 kHz, 15 mel; then logarithmic, 27 mel for a factor of 6.4."""
    above = 15.0 + 27.0 * np.log(np.maximum(hz, 1e-9) / 1000.0) / np.log(6.4)
    return np.where(hz >= 1000.0, above, hz * 3.0 / 200.0)


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
    """Undo `hz_to_mel`."""
    above = 1000.0 * np.exp(np.log(6.4) / 27.0 * (mel - 15.0))
    return np.where(mel >= 15.0, above, mel * 200.0 / 3.0)


def band_edges_hz(mels: int) -> np.ndarray:
    """Say where triangles begin, peak and end, `[mel + 2]`; evenly spaced in mel up to 8 kHz."""
    last = hz_to_mel(np.array(SAMPLE_RATE_HZ / 2))
    return mel_to_hz(np.linspace(0.0, float(last), mels + 2))


def _preemphasize(waveform: np.ndarray, coefficient: float) -> np.ndarray:
    """Subtract from each sample a share of the one before; the first stays as it is."""
    emphasized = waveform.copy()
    emphasized[1:] -= np.float32(coefficient) * waveform[:-1]
    return emphasized


@lru_cache(maxsize=8)
def window(params: FbankParams) -> np.ndarray:
    """Make the periodic Hamming window, `[sample]` float32.

    Raises:
        ParamsError: the window is no whole number of samples, or longer than the spectrum.
    """
    length = _whole_samples("window_ms", params.window_ms)
    if params.fft_size < length or params.fft_size % 2:
        raise ParamsError(
            f"fbank.fft_size must be even and at least the {length} samples of "
            f"fbank.window_ms={params.window_ms:g}, got {params.fft_size}"
        )
    phase = 2 * np.pi * np.arange(length) / length
    return _frozen((0.54 - 0.46 * np.cos(phase)).astype(np.float32))


@lru_cache(maxsize=8)
def mel_filters(params: FbankParams) -> np.ndarray:
    """Make the mel filterbank, `[mel, frequency]` float32, triangles of height 1.

    Raises:
        ParamsError: a triangle is so narrow that no frequency of the spectrum falls in it.
    """
    edges = band_edges_hz(params.mels)
    ramps = edges[:, None] - np.fft.rfftfreq(params.fft_size, 1 / SAMPLE_RATE_HZ)
    widths = np.diff(edges)[:, None]
    rising, falling = -ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]
    filters = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    empty = np.flatnonzero(filters.max(axis=1) <= 0)
    if len(empty):
        raise ParamsError(
            f"fbank.mels must leave no mel band empty, got {params.mels}: with "
            f"fbank.fft_size={params.fft_size} band {empty[0]} holds no frequency; "
            "take fewer mels (ivector.mels, if these are its) or a larger fft_size"
        )
    return _frozen(filters)


def check_fbank(params: FbankParams) -> None:
    """Raise ParamsError if the section cannot be used; costs nothing later (cached)."""
    hop_samples(params.hop_ms)
    window(params)
    mel_filters(params)


def _whole_samples(key: str, length_ms: float) -> int:
    samples = length_ms * SAMPLE_RATE_HZ / 1000
    if samples < 1 or abs(samples - round(samples)) > 1e-6:
        raise ParamsError(
            f"fbank.{key} must be a whole number of samples at {SAMPLE_RATE_HZ} Hz "
            f"(steps of {1000 / SAMPLE_RATE_HZ:g} ms), got {length_ms:g}"
        )
    return round(samples)


def _frozen(array: np.ndarray) -> np.ndarray:
    """Protect a cached array from its readers."""
    array.setflags(write=False)
    return array
