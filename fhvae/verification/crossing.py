"""The EER under thousands of draws of speakers, without walking all trials in each.

The trials, ranked by score, are cut into blocks. How many trials of each speaker (targets)
and each pair of speakers (non-targets) lie below a block is counted once; the weights below
it under all draws are then one product of matrices. They tell in which block FNR meets FPR,
and only that block is walked. All sums are of whole numbers, which floats hold exactly in any
order: the result is that of the long way, `intervals.resample`, to the last bit.
"""

from dataclasses import dataclass

import numpy as np

from fhvae.trials.error_rates import ErrorCurve, RankedTrials, equal_error_rate
from fhvae.trials.pairs import Trials

CELLS = 4_000_000  # of a table of counts or weights: 32 MB


@dataclass(frozen=True)
class Blocks:
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


def resample_eer(trials: Trials, ranked: RankedTrials, counts: np.ndarray) -> np.ndarray:
    """Compute the EER with each speaker counted as often as each draw took him, `[draw]`.

    Args:
        trials: the pairs.
        ranked: the same pairs, ranked by score.
        counts: `[draw, speaker]` whole numbers that leave weight to both kinds of trial.
    """
    counts = np.asarray(counts, np.float64)
    if len(counts) == 0:
        return np.empty(0)
    blocks = cut_blocks(trials, ranked)
    chunk = max(1, CELLS // max(blocks.nontargets.shape))
    parts = [counts[start : start + chunk] for start in range(0, len(counts), chunk)]
    return np.concatenate([_resample_part(trials, ranked, blocks, part) for part in parts])


def cut_blocks(trials: Trials, ranked: RankedTrials) -> Blocks:
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
    return Blocks(
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
    trials: Trials, ranked: RankedTrials, blocks: Blocks, counts: np.ndarray
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
        values[rows] = equal_error_rate(curve)
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
    enrol, test = trials.enrol_speakers[order], trials.test_speakers[order]
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
