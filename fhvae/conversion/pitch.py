"""Pitch moved in the time domain: TD-PSOLA (Moulines and Charpentier, 1990).

Where a voice is heard, a mark stands in every period, a period after the last where the waveform
resembles itself most; elsewhere marks stand 10 ms apart. A grain of the waveform lies around
each mark, rising from the mark before and falling to the mark behind, so that all grains where
they were add up to the waveform itself. Voiced grains are then laid closer or wider, and made
softer or louder by the square root, so that the power stays. Timing does not change.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fhvae.features.f0 import FRAME, HOP, LOWEST_HZ, UNVOICED, track_f0
from fhvae.features.fbank import SAMPLE_RATE_HZ
from fhvae.params.conversion import ConversionParams
from fhvae.recording import Mix

CHUNK_FRAMES = 1000  # of F0, 20 s: tracked at a time; bounds memory
UNVOICED_STEP = 160  # samples at 16 kHz, 10 ms
LONGEST_PERIOD_S = 1.3 / LOWEST_HZ  # that a mark may lie behind another, see `SEARCH`
SEARCH = (0.75, 1.3)  # of the period tracked: where the next mark is looked for
FEWEST_FRAMES = 3  # of F0: a shorter voiced part is an error of the tracker
LEAST_SPREAD = 0.02  # nats; a monotone's spread is that of the tracker


@dataclass(frozen=True)
class PitchRange:
    """Mean and standard deviation of the natural log of F0 in Hz."""

    mean: float
    spread: float


@dataclass(frozen=True)
class PitchMove:
    """F0 of the source becomes `exp(center + slope * (ln F0 - mean of the source))`.

    Attributes:
        source: its range.
        center: mean of log-F0 afterwards.
        slope: ratio of the spreads.
    """

    source: PitchRange
    center: float
    slope: float

    def ratio(self, f0: np.ndarray) -> np.ndarray:
        """Say by what F0 is multiplied, where it is `f0` Hz."""
        log_f0 = np.log(f0)
        moved = self.center + self.slope * (log_f0 - self.source.mean)
        return np.asarray(np.exp(moved - log_f0))


def track_pitch(mix: Mix) -> np.ndarray:
    """Follow F0 through a recording, `[frame]` Hz as `track_f0`, in chunks of 20 s.

    A median of three takes out single jumps by an octave. Loudness is compared within a chunk.
    """
    tracks = []
    for start in range(0, max(1, mix.length - FRAME + 1), CHUNK_FRAMES * HOP):
        tracks.append(track_f0(mix.read(start, start + (CHUNK_FRAMES - 1) * HOP + FRAME)))
    return _median_of_three(np.concatenate(tracks))


def _median_of_three(f0: np.ndarray) -> np.ndarray:
    if len(f0) < FEWEST_FRAMES:
        return f0
    beside = np.stack([f0[:-2], f0[1:-1], f0[2:]])
    smooth = f0.copy()
    inside = (beside != UNVOICED).all(axis=0)
    smooth[1:-1][inside] = np.median(beside, axis=0)[inside]
    return smooth


def pitch_range(f0: np.ndarray) -> PitchRange | None:
    """Measure the range of the voiced frames; None where there are too few."""
    voiced = f0[f0 != UNVOICED]
    if len(voiced) < FEWEST_FRAMES:
        return None
    log_f0 = np.log(voiced)
    return PitchRange(float(log_f0.mean()), float(log_f0.std()))


def pitch_move(
    source: PitchRange | None, target: PitchRange | None, params: ConversionParams
) -> PitchMove | None:
    """Plan the move from one range to another, as far as `strength` up to 1 goes.

    None where pitch is not to move, or one of the two has no voiced part.
    """
    share = min(1.0, params.strength)
    if not params.pitch or share == 0 or source is None or target is None:
        return None
    most = params.most_pitch * np.log(2)
    step = float(np.clip(target.mean - source.mean, -most, most))
    ratio = max(target.spread, LEAST_SPREAD) / max(source.spread, LEAST_SPREAD)
    slope = float(np.clip(ratio, 1 / params.most_spread, params.most_spread))
    return PitchMove(source, source.mean + share * step, slope**share)


@dataclass(frozen=True)
class Grains:
    """Where grains come from and where they go; marks and places in samples at 16 kHz.

    Attributes:
        marks: `[mark]` float64, from 0 to the last sample.
        place: `[grain]` float64, in order, where the middle of a grain goes.
        mark: `[grain]` int64, which mark it lies around.
        factor: `[grain]` float64, by what it is multiplied.
    """

    marks: np.ndarray
    place: np.ndarray
    mark: np.ndarray
    factor: np.ndarray


def plan_grains(mix: Mix, f0: np.ndarray, move: PitchMove) -> Grains:
    """Mark the periods of a recording and say where each grain goes.

    Args:
        mix: the recording.
        f0: of it, as `track_pitch`.
        move: what becomes of F0.
    """
    parts = [Grains(np.zeros(1), np.zeros(1), np.zeros(1, np.int64), np.ones(1))]
    count, reached, last = 1, 0.0, float(mix.length - 1)
    for first, behind in _voiced_runs(f0):
        own = _marks_of_run(mix, f0, first, behind)
        own = own[(own > reached) & (own < last)]
        if len(own) < FEWEST_FRAMES:
            continue
        still = _unvoiced(reached, float(own[0]), count)
        count += len(still.marks)
        moved = _moved(own, move.ratio(_f0_at(f0, own[:-1], first, behind)), count - 1)
        count, reached = count + len(moved.marks), float(own[-1])
        parts += [still, moved]
    parts.append(_unvoiced(reached, last, count))
    return Grains(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0]))
    )


def _voiced_runs(f0: np.ndarray) -> Iterator[tuple[int, int]]:
    """Walk over runs of voiced frames: first, and behind the last."""
    voiced = np.concatenate([[False], f0 != UNVOICED, [False]])
    edges = np.flatnonzero(voiced[1:] != voiced[:-1])
    for first, behind in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if behind - first >= FEWEST_FRAMES:
            yield first, behind


def _f0_at(f0: np.ndarray, samples: np.ndarray, first: int, behind: int) -> np.ndarray:
    """Read F0 of a run at samples, between frames along the logarithm."""
    frames = (samples - FRAME / 2) / HOP
    inside = np.arange(first, behind)
    return np.asarray(np.exp(np.interp(frames, inside, np.log(f0[first:behind]))))


def _marks_of_run(mix: Mix, f0: np.ndarray, first: int, behind: int) -> np.ndarray:
    """Mark the periods of a voiced run, `[mark]` float64 of whole samples."""
    start = max(0, first * HOP + FRAME // 2 - HOP // 2)
    stop = (behind - 1) * HOP + FRAME // 2 + HOP // 2
    waveform = mix.read(start, stop).astype(np.float64)
    centers = start + np.arange(len(waveform))
    periods = SAMPLE_RATE_HZ / _f0_at(f0, centers, first, behind)
    waveform -= waveform.mean()
    waveform *= 1.0 if (waveform**3).sum() >= 0 else -1.0
    mark = int(np.argmax(waveform[: round(1.2 * periods[0])]))
    marks = [mark]
    while (found := _next_mark(waveform, mark, periods[mark])) is not None:
        marks.append(mark := found)
    return start + np.array(marks, np.float64)


def _next_mark(waveform: np.ndarray, mark: int, period: float) -> int | None:
    """Find the mark a period on: where the waveform around it resembles that of the last most."""
    half = round(period / 2)
    low, high = round(SEARCH[0] * period), round(SEARCH[1] * period)
    begin = max(0, mark - half)
    shape = waveform[begin : mark + half]
    there = waveform[begin + low : mark + half + high]
    if mark + high + half > len(waveform) or len(shape) < half:
        return None
    likeness = np.correlate(there, shape, "valid")
    power = np.cumsum(np.concatenate([[0.0], there**2]))
    energy = power[len(shape) :] - power[: -len(shape)]
    return mark + low + int(np.argmax(likeness / np.sqrt(energy + 1e-9)))


def _unvoiced(reached: float, target: float, count: int) -> Grains:
    """Set marks up to `target`, about 10 ms apart, with grains that stay where they are.

    Args:
        reached: the last mark that is there.
        target: the last mark to be set.
        count: of the marks that are there.
    """
    steps = max(1, round((target - reached) / UNVOICED_STEP))
    marks = np.rint(np.linspace(reached, target, steps + 1)[1:])
    return Grains(marks, marks, count + np.arange(steps), np.ones(steps))


def _moved(marks: np.ndarray, ratio: np.ndarray, begin: int) -> Grains:
    """Lay the grains of a run anew; the first, which is there already, and the last stay.

    Args:
        marks: of the run.
        ratio: `[mark - 1]`, of F0 from each mark on.
        begin: number of its first mark.

    Returns:
        Its marks and grains but the first.
    """
    periods = (np.diff(marks) / ratio).tolist()
    known, nearest = marks.tolist(), 0
    places, chosen = [], []
    place = known[0] + periods[0]
    while place < known[-1] - 0.5 * periods[-1]:
        while place - known[nearest] > known[nearest + 1] - place and nearest < len(periods) - 1:
            nearest += 1
        places.append(place)
        chosen.append(nearest)
        place += periods[nearest]
    mark = np.array([*chosen, len(known) - 1], np.int64)
    factor = np.append(1 / np.sqrt(ratio[mark[:-1]]), 1.0)
    return Grains(marks[1:], np.array([*places, known[-1]]), begin + mark, factor)


def at_rate(grains: Grains, rate_hz: int, samples: int) -> Grains:
    """Bring a plan to whole samples of a recording of that rate and length."""
    scale, last = rate_hz / SAMPLE_RATE_HZ, samples - 1
    marks = np.minimum(np.rint(grains.marks * scale), last).astype(np.int64)
    place = np.minimum(np.rint(grains.place * scale), last).astype(np.int64)
    marks[-1] = place[-1] = last
    return Grains(marks, place, grains.mark, grains.factor)


def lay_grains(
    waveform: np.ndarray, start: int, grains: Grains, first: int, behind: int
) -> np.ndarray:
    """Add up the grains that reach between two samples, `[sample, channel]` float64.

    Args:
        waveform: `[sample, channel]`, a part that holds all that those grains come from.
        start: where it begins in the recording.
        grains: the plan, brought to the rate of the recording.
        first, behind: samples of the recording to be made.
    """
    marks, out = grains.marks, np.zeros((behind - first, waveform.shape[1]))
    reach = int(np.diff(marks).max())
    low, high = np.searchsorted(grains.place, [first - reach, behind + reach])
    for grain in range(low, high):
        mark, place = int(grains.mark[grain]), int(grains.place[grain])
        before = int(marks[max(0, mark - 1)])
        after = int(marks[min(mark + 1, len(marks) - 1)])
        window = _window(int(marks[mark]) - before, after - int(marks[mark]))
        begin = place - (int(marks[mark]) - before) - first
        lower, upper = max(0, -begin), min(len(window), len(out) - begin)
        if lower < upper:
            weight = grains.factor[grain] * window[lower:upper, None]
            source = waveform[before - start + lower : before - start + upper]
            out[begin + lower : begin + upper] += weight * source
    return out


@lru_cache(maxsize=4096)
def _window(rise: int, fall: int) -> np.ndarray:
    """Rise over some samples and fall over others; 1 between, where the mark is."""
    up = np.sin(np.pi / 2 * np.arange(rise) / max(1, rise)) ** 2
    down = np.cos(np.pi / 2 * np.arange(max(1, fall)) / max(1, fall)) ** 2
    return np.concatenate([up, down])
