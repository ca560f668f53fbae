"""Intervals of error rates from resampled speakers.

Speakers are the independent units, not trials: each draw takes as many speakers as there
are, with replacement. A speaker drawn n times gives his target trials the weight n, and a
non-target trial of speakers drawn n and m times weighs n m; copies of one speaker never make
a non-target trial.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fhvae.verification.error_rates import ErrorCurve, RankedTrials, error_curve, rank_trials
from fhvae.verification.trials import Trials

CHUNK_WEIGHTS = 2_000_000  # weights held at a time: 16 MB per array
LEVEL = 0.95

Metric = Callable[[ErrorCurve], np.ndarray]


@dataclass(frozen=True)
class SpeakerDraws:
    """How often each draw took each speaker.

    Attributes:
        counts: `[draw, speaker]`; each row sums to the number of speakers.
        redrawn: draws thrown away because one kind of trial had no weight.
    """

    counts: np.ndarray
    redrawn: int


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside: for a difference, whether one system is better."""
        return self.low > 0 or self.high < 0


def draw_speakers(trials: Trials, draws: int, random: np.random.Generator) -> SpeakerDraws:
    """Draw speakers with replacement, again where target or non-target trials get no weight.

    The same draws serve every system scored on these trials, so their differences can be
    compared draw by draw.
    """
    speakers = len(trials.speaker_names)
    pairs = np.zeros((speakers, speakers))
    pairs[trials.enrol_speakers, trials.test_speakers] = 1
    kept: list[np.ndarray] = []
    redrawn = 0
    while len(kept) < draws:
        counts = random.multinomial(speakers, np.full(speakers, 1 / speakers))
        targets = counts @ np.diag(pairs)
        nontargets = counts @ (pairs - np.diag(np.diag(pairs))) @ counts
        if targets > 0 and nontargets > 0:
            kept.append(counts)
        else:
            redrawn += 1
    return SpeakerDraws(np.array(kept), redrawn)


def resample(
    trials: Trials, ranked: RankedTrials, draws: SpeakerDraws, metric: Metric
) -> np.ndarray:
    """Compute a metric under each draw of speakers, `[draw]`."""
    enrol = trials.enrol_speakers[ranked.order]
    test = trials.test_speakers[ranked.order]
    chunk = max(1, CHUNK_WEIGHTS // len(enrol))
    values = []
    for start in range(0, len(draws.counts), chunk):
        counts = draws.counts[start : start + chunk].astype(np.float64)
        weights = counts[:, enrol] * np.where(ranked.is_target, 1.0, counts[:, test])
        values.append(metric(error_curve(ranked, weights)))
    return np.concatenate(values)


def percentile_interval(value: float, resampled: np.ndarray) -> Interval:
    """Cut an equal share of the resampled values off both ends, 5 % together."""
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))


def metric_interval(
    trials: Trials, scores: np.ndarray, draws: SpeakerDraws, metric: Metric
) -> Interval:
    """Compute a metric of one system with its interval.

    Args:
        trials: the pairs.
        scores: `[trial]`.
        draws: of `draw_speakers` for these trials.
        metric: such as `error_rates.equal_error_rate`.
    """
    ranked = rank_trials(scores, trials.is_target)
    value = float(metric(error_curve(ranked)))
    return percentile_interval(value, resample(trials, ranked, draws, metric))


def difference_interval(
    trials: Trials, first: np.ndarray, second: np.ndarray, draws: SpeakerDraws, metric: Metric
) -> Interval:
    """Compute the metric of `first` minus that of `second`, resampled with the same draws.

    One system is called better only where the interval excludes 0.

    Args:
        trials: the pairs both systems scored.
        first, second: `[trial]` scores.
        draws: of `draw_speakers` for these trials.
        metric: such as `error_rates.equal_error_rate`.
    """
    values, resampled = [], []
    for scores in (first, second):
        ranked = rank_trials(scores, trials.is_target)
        values.append(float(metric(error_curve(ranked))))
        resampled.append(resample(trials, ranked, draws, metric))
    return percentile_interval(values[0] - values[1], resampled[0] - resampled[1])
