"""Matched by decoded frames: an equalizer that depends on what is being said.

Source and references are decoded in one voice, mu2 of the target: frames that then look alike say
alike. The gain of a frame is the mean spectrum of reference frames like it, less that of the
source's own frames like it. Measured in docs/listening.md.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from fhvae.conversion.gain import overlapped, segment_starts
from fhvae.conversion.pitch import PitchMove, at_rate, lay_grains, plan_grains
from fhvae.corpus.audio import FULL_SCALE
from fhvae.features.fbank import SAMPLE_RATE_HZ, hop_samples
from fhvae.model.objective import posteriors
from fhvae.model.weights import TrainedModel
from fhvae.params.conversion import ConversionParams
from fhvae.recording import Mix
from fhvae.segments import gather

MOST_FRAMES = 4000  # of a bank, 40 s of active speech; bounds memory
CHUNK_FRAMES = 2000  # decoded at a time; bounds memory
BLOCK = 64_000  # samples whose pitch is moved at a time
ACTIVE_DB = 30.0  # below the 95th percentile of frame energies a frame is a pause
LEFT_OUT = 3  # frames of the source on either side of a frame that do not speak for it
SMOOTH = np.array([1, 2, 3, 2, 1]) / 9  # over 50 ms


@dataclass(frozen=True)
class Bank:
    """Active frames of a voice, evenly thinned.

    Attributes:
        keys: `[frame, mel]`, decoded in the voice of the target, normalized.
        nats: `[frame, mel]`, log amplitudes as they are, less the level of the active frames.
        frames: `[frame]` int64, where they stand in their recording.
    """

    keys: np.ndarray
    nats: np.ndarray
    frames: np.ndarray


@dataclass(frozen=True)
class Matching:
    """What gives the gains of one source.

    Attributes:
        mix: the source with its pitch moved.
        mu2: `[z2]`, of the target.
        own, target: frames of the source with its pitch moved, and of the references.
    """

    mix: Mix
    mu2: np.ndarray
    own: Bank
    target: Bank


@contextmanager
def moved_mix(mix: Mix, f0: np.ndarray, move: PitchMove | None) -> Iterator[Mix]:
    """Move the pitch of a 16 kHz mix, block by block, in a file that is deleted afterwards."""
    if move is None:
        yield mix
        return
    grains = at_rate(plan_grains(mix, f0, move), SAMPLE_RATE_HZ, mix.length)
    beside = 4 * int(np.diff(grains.marks).max())
    with tempfile.TemporaryFile() as file:
        for start in range(0, mix.length, BLOCK):
            behind, begin = min(start + BLOCK, mix.length), max(0, start - beside)
            part = mix.read(begin, behind + beside).astype(np.float64)[:, None]
            laid = np.rint(lay_grains(part, begin, grains, start, behind)[:, 0])
            file.write(np.clip(laid, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16).tobytes())
        file.flush()
        yield Mix(file, mix.length, mix.peak)


@torch.inference_mode()
def decoded_frames(
    trained: TrainedModel, mix: Mix, mu2: np.ndarray, first: int, last: int, shift: int
) -> np.ndarray:
    """Decode what is said in frames `first` to `last` in one voice, `[frame, mel]`, normalized."""
    length = trained.segments.frames
    starts = segment_starts(mix.frames(trained.fbank), length, min(shift, length))
    starts = starts[(starts > first - length) & (starts < last)]
    begin, behind = int(starts[0]), int(starts[-1]) + length
    rows = trained.normalizer.apply(mix.log_mel(begin, behind, trained.fbank))
    device = next(trained.network.parameters()).device
    segments = gather(
        torch.from_numpy(rows).to(device), torch.from_numpy(starts - begin).to(device), length
    )
    z1 = posteriors(trained.network, segments).z1.mean
    z2 = torch.from_numpy(mu2).to(z1).expand(len(z1), -1)
    means = trained.network.decode(z1, z2, length).mean.cpu().numpy().astype(np.float64)
    return overlapped(means, starts - begin)[first - begin : last - begin]


def bank_of(
    trained: TrainedModel, mix: Mix, mu2: np.ndarray, shift: int, most: int = MOST_FRAMES
) -> Bank:
    """Decode the active frames of a recording, at most so many.

    Args:
        trained: the model.
        mix: of a recording at least one segment long.
        mu2: `[z2]`, the voice in which all are decoded.
        shift: frames between the starts of two segments.
        most: frames kept, evenly spread over the active ones.
    """
    count, power = mix.frames(trained.fbank), trained.fbank.power
    spans = [(at, min(at + CHUNK_FRAMES, count)) for at in range(0, count, CHUNK_FRAMES)]
    energy, squares = [], 0.0
    hop = hop_samples(trained.fbank.hop_ms)
    for first, last in spans:
        nats = mix.log_mel(first, last, trained.fbank) / power
        energy.append(np.exp(2 * nats).sum(axis=1))
        squares += float(np.square(mix.read(first * hop, last * hop).astype(np.float64)).sum())
    active = np.flatnonzero(is_active(np.concatenate(energy)))
    level = 0.5 * np.log(squares / len(active))
    chosen = active[np.unique(np.linspace(0, len(active) - 1, most).astype(np.int64))]
    keys, spectra = [], []
    for first, last in spans:
        here = chosen[(chosen >= first) & (chosen < last)] - first
        if len(here):
            keys.append(decoded_frames(trained, mix, mu2, first, last, shift)[here])
            spectra.append(mix.log_mel(first, last, trained.fbank)[here] / power - level)
    return Bank(np.concatenate(keys), np.concatenate(spectra), chosen)


def common_bank(banks: Sequence[Bank]) -> Bank:
    """Take frames of several recordings together."""
    parts = {name: [getattr(bank, name) for bank in banks] for name in ("keys", "nats", "frames")}
    return Bank(**{name: np.concatenate(values) for name, values in parts.items()})


def is_active(energy: np.ndarray) -> np.ndarray:
    """Tell speech from pauses, `[frame]` bool, by the energies of frames."""
    decibels = 10 * np.log10(np.maximum(energy, np.finfo(float).tiny))
    return np.asarray(decibels > np.percentile(decibels, 95) - ACTIVE_DB)


def matched_gains(
    trained: TrainedModel, matching: Matching, first: int, last: int, params: ConversionParams
) -> np.ndarray:
    """Find the gain of frames `first` to `last`, `[frame, mel]` in nats of amplitude.

    The output is about as loud as the source: levels were taken off both banks.
    """
    count, reach = matching.mix.frames(trained.fbank), len(SMOOTH) // 2
    begin, behind = max(0, first - reach), min(last + reach, count)
    asked = decoded_frames(trained, matching.mix, matching.mu2, begin, behind, params.shift)
    own, target = matching.own, matching.target
    scale = params.match * (own.keys.var(axis=0).sum() + target.keys.var(axis=0).sum() + 1e-9)
    near = np.abs(np.arange(begin, behind)[:, None] - own.frames) <= LEFT_OUT
    steps = likeness(asked, target.keys, scale) @ target.nats
    steps -= likeness(asked, own.keys, scale, near) @ own.nats
    before, after = reach - (first - begin), reach - (behind - last)
    padded = np.pad(steps, ((before, after), (0, 0)), mode="edge")
    smooth = sum(weight * padded[k : k + last - first] for k, weight in enumerate(SMOOTH))
    return np.asarray(np.clip(params.strength * smooth, -params.most_gain, params.most_gain))


def likeness(
    asked: np.ndarray, known: np.ndarray, scale: float, left_out: np.ndarray | None = None
) -> np.ndarray:
    """Weigh known frames by how like they are to those asked for, `[asked, known]`, rows sum to 1.

    Args:
        asked, known: `[frame, mel]`, keys.
        scale: squared distance at which the weight falls by e.
        left_out: `[asked, known]` bool; a row that would leave out all leaves out none.
    """
    squares = np.square(asked).sum(axis=1)[:, None] + np.square(known).sum(axis=1)
    logits = (2 * asked @ known.T - squares) / scale
    if left_out is not None:
        logits[left_out & ~left_out.all(axis=1, keepdims=True)] = -np.inf
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
