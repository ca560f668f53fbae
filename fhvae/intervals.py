"""Intervals from resampled speakers: the one way in which every figure gets its 95 %.

Speakers are the independent units, not trials, segments or utterances. A draw takes as many
speakers as there are, with replacement, and says how often it took each; what is then
computed weighs a speaker's share by that count.

Of few speakers there is no interval: with two, half of all draws are the data themselves and the
rest one speaker alone, so that widths of 0 and verdicts without ground come out. Below
`FEWEST_SPEAKERS` there are no draws, and everything built on draws then has a value and no bounds.
"""

from dataclasses import dataclass

import numpy as np

LEVEL = 0.95  # of all intervals, as convention has it
INTERVALS = "intervals"  # the key in `absent` of a stage's metrics, or the end of one
FEWEST_SPEAKERS = 8  # 6,435 different draws; of 7 speakers 1,716, of 4 just 35


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval; without bounds where speakers are too few for one."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def is_above_zero(self) -> bool:
        """Whether the whole interval lies above 0; False where there is none."""
        return self.low is not None and self.low > 0

    @property
    def is_below_zero(self) -> bool:
        """Whether the whole interval lies below 0; False where there is none."""
        return self.high is not None and self.high < 0

    @property
    def excludes_zero(self) -> bool:
        """Whether 0 lies outside: for a difference, whether one system is better."""
        return self.is_above_zero or self.is_below_zero

    def metrics(self, name: str) -> dict[str, float]:
        """Lay out `name`, `name_low` and `name_high`; without bounds the value alone."""
        bounds = {f"{name}_low": self.low, f"{name}_high": self.high}
        known = {key: bound for key, bound in bounds.items() if bound is not None}
        return {name: self.value, **known}


def are_enough(speakers: int) -> bool:
    """Tell whether so many test speakers allow an interval."""
    return speakers >= FEWEST_SPEAKERS


def why_no_interval(speakers: int) -> str | None:
    """Say why so many test speakers allow no interval; None where they do."""
    if are_enough(speakers):
        return None
    return (
        f"an interval needs at least {FEWEST_SPEAKERS} test speakers, there are {speakers}: "
        "draws of so few repeat each other and look far surer than they are"
    )


def draw_counts(speakers: int, draws: int, random: np.random.Generator) -> np.ndarray:
    """Draw speakers with replacement: how often each was taken, `[draw, speaker]` int64.

    Below `FEWEST_SPEAKERS` there is no draw.
    """
    if not are_enough(speakers):
        return np.empty((0, speakers), np.int64)
    shares = np.full(speakers, 1 / speakers)
    return np.asarray(random.multinomial(speakers, shares, size=draws))


def percentile_interval(value: float, resampled: np.ndarray) -> Interval:
    """Cut an equal share of the resampled values, `[draw]`, off both ends, 5 % together.

    Without a draw there are no bounds.
    """
    if len(resampled) == 0:
        return Interval(value)
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
