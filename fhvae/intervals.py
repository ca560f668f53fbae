"""Intervals from resampled speakers: the one way in which every figure gets its 95 %.

Speakers are the independent units, not trials, segments or utterances. A draw takes as many
speakers as there are, with replacement, and says how often it took each; whatever is then
computed weighs a speaker's share by that count.
"""

from dataclasses import dataclass

import numpy as np

LEVEL = 0.95


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


def draw_counts(speakers: int, draws: int, random: np.random.Generator) -> np.ndarray:
    """Draw speakers with replacement: how often each was taken, `[draw, speaker]` int64."""
    shares = np.full(speakers, 1 / speakers)
    return np.asarray(random.multinomial(speakers, shares, size=draws))


def percentile_interval(value: float, resampled: np.ndarray) -> Interval:
    """Cut an equal share of the resampled values, `[draw]`, off both ends, 5 % together."""
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))


def resample_ratio(
    numerators: np.ndarray, denominators: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """Compute a ratio of sums, such as an accuracy or an error rate, under each draw.

    Args:
        numerators, denominators: `[speaker]`, such as correct rows and rows.
        counts: `[draw, speaker]`, of `draw_counts`.

    Returns:
        `[draw]`.
    """
    return np.asarray((counts @ numerators) / (counts @ denominators))


def ratio_interval(
    numerators: np.ndarray, denominators: np.ndarray, counts: np.ndarray
) -> Interval:
    """Compute a ratio of sums over speakers with its interval; arguments as `resample_ratio`."""
    value = float(numerators.sum() / denominators.sum())
    return percentile_interval(value, resample_ratio(numerators, denominators, counts))
