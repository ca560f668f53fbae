"""Error rates with speakers left out (intervals) and with speakers drawn (bands of DET curves).

Speakers are the independent units, not trials. Each is left out once, which tells how far an EER
would move with others (`fhvae.intervals`). A draw takes as many speakers as there are, with
replacement: a speaker drawn n times gives the target trials of that speaker the weight n, and a
non-target trial of speakers drawn n and m times weighs n m; copies of one speaker never make a
non-target trial. Percentiles of draws are too narrow where errors are few (decision 0019), so
they only make the bands, which are looked at and not quoted.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from fhvae.intervals import (
    LEVEL,
    Interval,
    are_enough,
    draw_counts,
    rate_interval,
    why_no_interval,
)
from fhvae.trials import ErrorCurve, RankedTrials, Trials, equal_error_rate, error_curve

CHUNK_WEIGHTS = 2_000_000  # weights held at a time: 16 MB per array
CELLS = 4_000_000  # of a table of counts or weights: 32 MB
GRID = np.round(np.geomspace(0.0005, 0.8, 60), 6)  # FPR, from one end of the plot to the other


@dataclass(frozen=True)
class SpeakerDraws:
    """How often each draw took each speaker.

    Attributes:
        counts: `[draw, speaker]`; each row sums to the number of speakers.
        redrawn: draws thrown away because one kind of trial had no weight.
    """

    counts: np.ndarray
    redrawn: int


def resample_speakers(trials: Trials, draws: int, random: np.random.Generator) -> SpeakerDraws:
    """Draw speakers with replacement, again where target or non-target trials get no weight.

    The same draws serve every system scored on these trials. Too few speakers have no draws.
    """
    kept = np.empty((0, len(trials.speaker_names)), np.int64)
    redrawn = 0
    if not are_enough(len(trials.speaker_names)):
        return SpeakerDraws(kept, redrawn)
    while len(kept) < draws:
        counts = draw_counts(len(trials.speaker_names), draws - len(kept), random)
        usable = has_both_kinds(trials, counts)
        redrawn += int(np.count_nonzero(~usable))
        kept = np.concatenate([kept, counts[usable]])
    return SpeakerDraws(kept, redrawn)


def has_both_kinds(trials: Trials, counts: np.ndarray) -> np.ndarray:
    """Tell for each draw, `[draw, speaker]`, whether both kinds of trial keep a weight."""
    speakers = len(trials.speaker_names)
    pairs = np.zeros((speakers, speakers))
    pairs[trials.enrol_speakers, trials.test_speakers] = 1
    targets = counts @ np.diag(pairs)
    nontargets = ((counts @ (pairs - np.diag(np.diag(pairs)))) * counts).sum(axis=1)
    return np.asarray((targets > 0) & (nontargets > 0))


@dataclass(frozen=True)
class BlockCounts:
    """Runs of thresholds, and what lies below each of their borders.

    Attributes:
        borders: `[border]`, positions in the thresholds, from the first to the last.
        targets: `[border, speaker]`, target trials below each border.
        nontargets: `[border, pair]`, non-target trials below each border.
        pairs: `[2, pair]`, the speakers of each pair that has trials.
    """

    borders: np.ndarray
    targets: np.ndarray
    nontargets: np.ndarray
    pairs: np.ndarray


def resample_eer(
    trials: Trials,
    ranked: RankedTrials,
    counts: np.ndarray,
    read: Callable[[ErrorCurve], np.ndarray] = equal_error_rate,
) -> np.ndarray:
    """Compute the EER with each speaker counted as often as each draw took them, `[draw]`.

    Without walking all trials in each draw: the trials, ranked by score, are cut into blocks.
    How many trials of each speaker (targets) and each pair of speakers (non-targets) lie below
    a block is counted once; the weights below it under all draws are then one product of
    matrices. They tell in which block FNR meets FPR, and only that block is walked. All sums are
    of whole numbers, which floats hold exactly in any order: the result is that of
    `resampled_curves`, to the last bit.

    Args:
        trials: the pairs.
        ranked: the same pairs, ranked by score.
        counts: `[draw, speaker]` whole numbers that leave weight to both kinds of trial.
        read: what to take of the curve where FNR meets FPR.
    """
    counts = np.asarray(counts, np.float64)
    if len(counts) == 0:
        return np.empty(0)
    blocks = cut_blocks(trials, ranked)
    chunk = max(1, CELLS // max(blocks.nontargets.shape))
    parts = [counts[start : start + chunk] for start in range(0, len(counts), chunk)]
    return np.concatenate([_resample_part(trials, ranked, blocks, part, read) for part in parts])


def cut_blocks(trials: Trials, ranked: RankedTrials) -> BlockCounts:
    """Cut the thresholds into blocks and count the trials below each border."""
    enrol, test = trials.enrol_speakers[ranked.order], trials.test_speakers[ranked.order]
    speakers = len(trials.speaker_names)
    codes = np.minimum(enrol, test) * speakers + np.maximum(enrol, test)
    codes = np.where(ranked.is_target, -1, codes)
    known, pair = np.unique(codes, return_inverse=True)  # -1, the targets, comes first
    pairs = np.stack([known[1:] // speakers, known[1:] % speakers])
    steps = len(ranked.thresholds) - 1
    blocks = int(np.clip(min(np.sqrt(steps), CELLS / pairs.shape[1]), 1, steps))
    borders = np.linspace(0, steps, blocks + 1).astype(np.int64)
    block = np.searchsorted(ranked.below[borders], np.arange(len(enrol)), side="right") - 1
    target = ranked.is_target
    return BlockCounts(
        borders=borders,
        targets=_counts_below(block[target], enrol[target], (blocks, speakers)),
        nontargets=_counts_below(block[~target], pair[~target] - 1, (blocks, pairs.shape[1])),
        pairs=pairs,
    )


def _counts_below(block: np.ndarray, column: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Count the trials of each column in all blocks before each border, `[border, column]`."""
    cells = np.bincount(block * shape[1] + column, minlength=shape[0] * shape[1])
    below = np.zeros((shape[0] + 1, shape[1]))
    np.cumsum(cells.reshape(shape), axis=0, out=below[1:])
    return below


def _resample_part(
    trials: Trials,
    ranked: RankedTrials,
    blocks: BlockCounts,
    counts: np.ndarray,
    read: Callable[[ErrorCurve], np.ndarray],
) -> np.ndarray:
    targets = counts @ blocks.targets.T  # [draw, border]
    nontargets = (counts[:, blocks.pairs[0]] * counts[:, blocks.pairs[1]]) @ blocks.nontargets.T
    fnr = targets / targets[:, -1:]
    fpr = (nontargets[:, -1:] - nontargets) / nontargets[:, -1:]
    last = np.argmax(fnr - fpr >= 0, axis=1)  # the border at or after the crossing; never 0
    values = np.empty(len(counts))
    for border in np.unique(last):
        rows = np.flatnonzero(last == border)
        start = int(border) - 1
        curve = _walk_block(
            trials,
            ranked,
            (int(blocks.borders[start]), int(blocks.borders[border])),
            counts[rows],
            np.stack([targets[rows, start], targets[rows, -1]]),
            np.stack([nontargets[rows, start], nontargets[rows, -1]]),
        )
        values[rows] = read(curve)
    return values


def _walk_block(
    trials: Trials,
    ranked: RankedTrials,
    thresholds: tuple[int, int],
    counts: np.ndarray,
    targets: np.ndarray,
    nontargets: np.ndarray,
) -> ErrorCurve:
    """Follow the error rates through one block.

    Args:
        trials: the pairs.
        ranked: the same pairs, ranked by score.
        thresholds: positions of the first and the last of the block.
        counts: `[draw, speaker]`.
        targets, nontargets: `[2, draw]`, weight below the first threshold, and in all.
    """
    below = ranked.below[thresholds[0] : thresholds[1] + 1]
    inside = slice(int(below[0]), int(below[-1]))
    order, is_target = ranked.order[inside], ranked.is_target[inside]
    enrol, test = trials.speakers[trials.enrol[order]], trials.speakers[trials.test[order]]
    steps = below[1:] - below[0] - 1
    weights = counts[:, enrol]
    missed = np.cumsum(weights * is_target, axis=1)[:, steps]
    refused = np.cumsum(weights * ~is_target * counts[:, test], axis=1)[:, steps]
    nothing = np.zeros((len(counts), 1))
    missed = targets[0][:, None] + np.hstack([nothing, missed])
    refused = nontargets[0][:, None] + np.hstack([nothing, refused])
    whole = nontargets[1][:, None]
    return ErrorCurve(
        thresholds=ranked.thresholds[thresholds[0] : thresholds[1] + 1],
        fnr=missed / targets[1][:, None],
        fpr=(whole - refused) / whole,
    )


def why_no_eer_interval(trials: Trials) -> str | None:
    """Say why these trials allow no interval: few speakers, or one whom they cannot do without.

    None where they allow one.
    """
    if few := why_no_interval(len(trials.speaker_names)):
        return few
    usable = has_both_kinds(trials, _one_left_out(trials))
    if usable.all():
        return None
    lost = trials.speaker_names[int(np.argmin(usable))]
    return (
        "an interval needs both kinds of trial when any speaker is left out, without "
        f"speaker {lost} of {len(usable)} one kind is gone"
    )


def _one_left_out(trials: Trials) -> np.ndarray:
    speakers = len(trials.speaker_names)
    return np.ones((speakers, speakers), np.int64) - np.eye(speakers, dtype=np.int64)


def leave_one_out_eer(
    trials: Trials,
    ranked: RankedTrials,
    read: Callable[[ErrorCurve], np.ndarray] = equal_error_rate,
) -> np.ndarray:
    """Compute the EER without each speaker, `[speaker]`; empty where there can be no interval.

    Args:
        trials: the pairs.
        ranked: the same pairs, ranked by score.
        read: as `resample_eer` takes it.
    """
    if why_no_eer_interval(trials):
        return np.empty(0)
    return resample_eer(trials, ranked, _one_left_out(trials), read)


def eer_interval(trials: Trials, ranked: RankedTrials) -> Interval:
    """Compute the EER with its interval over speakers."""
    value = float(equal_error_rate(error_curve(ranked)))
    targets = int(np.count_nonzero(ranked.is_target))
    return rate_interval(value, leave_one_out_eer(trials, ranked), targets)


def resampled_curves(
    trials: Trials, ranked: RankedTrials, counts: np.ndarray
) -> Iterator[ErrorCurve]:
    """Follow the error rates under each draw, `[draw, speaker]`, some draws at a time."""
    enrol = trials.enrol_speakers[ranked.order]
    test = trials.test_speakers[ranked.order]
    chunk = max(1, CHUNK_WEIGHTS // len(enrol))
    for start in range(0, len(counts), chunk):
        own = counts[start : start + chunk].astype(np.float64)
        weights = own[:, enrol] * np.where(ranked.is_target, 1.0, own[:, test])
        yield error_curve(ranked, weights)


@dataclass(frozen=True)
class Band:
    """The middle 95 % of FNR under resampled speakers, point by point; narrower than an interval.

    Attributes:
        fpr: `[point]`, `GRID`.
        low, high: `[point]`, FNR.
    """

    fpr: np.ndarray
    low: np.ndarray
    high: np.ndarray


def det_band(trials: Trials, ranked: RankedTrials, draws: SpeakerDraws) -> Band | None:
    """Resample the DET curve of one system and cut 2.5 % off both ends at each FPR.

    None where speakers are too few to be drawn.
    """
    if len(draws.counts) == 0:
        return None
    curves = resampled_curves(trials, ranked, draws.counts)
    resampled = np.concatenate([fnr_at(curve, GRID) for curve in curves])
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return Band(GRID, low, high)


def fnr_at(curve: ErrorCurve, fpr: np.ndarray) -> np.ndarray:
    """Find FNR at the lowest threshold that lets no more than a share of non-targets through.

    Args:
        curve: of several weightings, `[draw, threshold]`.
        fpr: `[point]`.

    Returns:
        `[draw, point]`.
    """
    places = [np.searchsorted(-row, -fpr, side="left") for row in curve.fpr]
    return np.stack([row[place] for row, place in zip(curve.fnr, places, strict=True)])
