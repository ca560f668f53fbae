"""A recording with another voice, block by block: pitch moved, then gains on its own spectrum.

    y = STFT^-1( S(x with its pitch moved) * exp(gain) )

The gain is what frames of the references like this one have more (matching.py), or what the
decoder says of a step of z2, D(z1, z2 + step) - D(z1, z2) (gain.py).

Each channel keeps its own spectrum and phase, at its own rate; all get the gain and the marks of
the 16 kHz mix. Without a step and a move of pitch the output is the input.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fhvae.conversion.gain import bands_to_bins, log_gains
from fhvae.conversion.matching import Matching, matched_gains
from fhvae.conversion.pitch import (
    LONGEST_PERIOD_S,
    Grains,
    PitchMove,
    at_rate,
    lay_grains,
    plan_grains,
)
from fhvae.model.weights import TrainedModel
from fhvae.params.conversion import ConversionParams
from fhvae.recording import Mix, Recording

BLOCK_S = 4.0  # of a recording changed at a time; bounds memory
OVERLAP = 4  # windows over every sample: the squares of Hann windows then add up to 1.5


@dataclass(frozen=True)
class Change:
    """What is to become of a voice.

    Attributes:
        step: `[z2]`, added to z2 of every segment.
        pitch: how F0 moves; None: it stays.
        f0: `[frame]` of the source, as `track_pitch` follows it.
        matching: gives the gains; None: the decoder does, by the step.
    """

    step: np.ndarray
    pitch: PitchMove | None
    f0: np.ndarray
    matching: Matching | None = None


def changed_blocks(
    trained: TrainedModel,
    recording: Recording,
    mix: Mix,
    change: Change,
    params: ConversionParams,
    block_s: float = BLOCK_S,
) -> Iterator[np.ndarray]:
    """Walk over the changed recording, `[sample, channel]` float64, as long as it was.

    Args:
        trained: the model.
        recording: at least one segment long.
        mix: of it.
        change: what is to become of it.
        params: shift of segments, bounds, window.
        block_s: length of a block; the output does not depend on it.
    """
    rate_hz = recording.rate_hz
    hop = max(1, round(rate_hz * params.window_ms / 1000 / OVERLAP))
    window = hop * OVERLAP
    beside = window + round((4 * LONGEST_PERIOD_S) * rate_hz)
    grains = None
    if change.pitch is not None:
        grains = at_rate(plan_grains(mix, change.f0, change.pitch), rate_hz, recording.samples)
        beside += int(np.diff(grains.marks).max())
    to_bins = bands_to_bins(trained.fbank, window, rate_hz)
    size = max(hop, round(block_s * rate_hz))
    for start, part in padded_blocks(recording.read(), size, beside):
        behind = start + len(part) - 2 * beside
        moved = _with_pitch(part, start - beside, grains, start, behind, window)
        first, last = start // hop - OVERLAP // 2, behind // hop + OVERLAP // 2 + 1
        times = np.arange(first, last + 1) * hop / rate_hz
        gains = np.exp(_gains_at(trained, mix, change, times, params) @ to_bins)
        yield filtered(moved, start - window, gains, first, hop, start, behind)


def _with_pitch(
    part: np.ndarray, begin: int, grains: Grains | None, start: int, behind: int, window: int
) -> np.ndarray:
    """Move the pitch of a block and of a window to each side of it."""
    first, last = start - window, behind + window
    if grains is None:
        return part[first - begin : last - begin]
    return lay_grains(part, begin, grains, first, last)


def _gains_at(
    trained: TrainedModel,
    mix: Mix,
    change: Change,
    times: np.ndarray,
    params: ConversionParams,
) -> np.ndarray:
    """Predict log gains at times in seconds, `[time, mel]`, between frames along a line."""
    count = mix.frames(trained.fbank)
    position = np.clip(times * 1000 / trained.fbank.hop_ms, 0, count - 1)
    first, last = int(position[0]), min(int(position[-1]) + 2, count)
    if change.matching is None:
        gains = log_gains(trained, mix, change.step, first, last, params)
    else:
        gains = matched_gains(trained, change.matching, first, last, params)
    before = np.minimum(position.astype(np.int64), last - 1) - first
    after = np.minimum(before + 1, len(gains) - 1)
    share = (position - first - before)[:, None]
    return np.asarray((1 - share) * gains[before] + share * gains[after])


def padded_blocks(
    blocks: Iterator[np.ndarray], size: int, beside: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Cut a stream into blocks that see what lies beside them.

    Args:
        blocks: `[sample, channel]`, of any length.
        size: samples of a block; the last one has what is left.
        beside: samples more at each side; 0 before the first sample and behind the last.

    Yields:
        Where a block starts, and `[beside + block + beside, channel]` float64.
    """
    held, start, ended = np.zeros((0, 0)), 0, False
    waiting = iter(blocks)
    while not ended or len(held) > 2 * beside:
        while not ended and len(held) < size + 2 * beside:
            block = next(waiting, None)
            ended = block is None
            if block is None:
                held = np.concatenate([held, np.zeros((beside, held.shape[1]))])
            elif held.size == 0:
                held = np.concatenate([np.zeros((beside, block.shape[1])), block])
            else:
                held = np.concatenate([held, block])
        part = held[: size + 2 * beside]
        if len(part) > 2 * beside:
            yield start, part
        held = held[size:]
        start += size


def filtered(
    moved: np.ndarray,
    begin: int,
    gains: np.ndarray,
    first: int,
    hop: int,
    start: int,
    behind: int,
) -> np.ndarray:
    """Multiply short-time spectra by gains and add them up, `[sample, channel]`.

    Args:
        moved: `[sample, channel]`, a block and a window to each side.
        begin: sample of the recording at which it begins.
        gains: `[spectrum, bin]`, from spectrum number `first` on.
        first: spectrum k has its middle on sample `k * hop`.
        hop: samples.
        start, behind: what is wanted.
    """
    from scipy.fft import irfft, rfft

    window = OVERLAP * hop
    taper = np.sqrt(2 / 3) * np.sin(np.pi * np.arange(window) / window) ** 2  # squares add up to 1
    out = np.zeros((behind - start + 2 * window, moved.shape[1]))
    numbers = np.arange(first, first + len(gains))
    places = numbers * hop - window // 2 - begin
    inside = (places >= 0) & (places + window <= len(moved))
    view = np.lib.stride_tricks.sliding_window_view(moved, window, axis=0)
    spectra = rfft(view[places[inside]] * taper, axis=-1)  # [spectrum, channel, bin]
    waves = irfft(spectra * gains[inside, None, :], n=window, axis=-1) * taper
    for place, wave in zip(places[inside].tolist(), waves, strict=True):
        out[place : place + window] += wave.T
    return out[window : len(out) - window]
