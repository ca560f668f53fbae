"""Intervals over speakers: the one way in which every figure gets its 95 %.

Speakers are the independent units, not trials, segments or utterances. Whatever is computed is
computed again without each of them (the jackknife); how far these values lie apart says how far
the value would move with other speakers.

- A *rate* (EER, accuracy, and PER as a share) is bounded as if it came of as many independent
  trials as have its jackknife variance: `rate_interval`, docs/decisions/0019-intervals.md.
  Percentiles of resampled speakers are far too narrow where errors are few.
- Everything else (differences, information, R2) is bounded by Student's t: `t_interval`.
- Of several trainings: `over_speakers_and_seeds`.

Speakers are still drawn with replacement for what is looked at and not quoted: bands of DET curves.

Of few speakers there is no interval: how they spread is hardly known. Below `FEWEST_SPEAKERS`
there are no draws and nobody is left out, and everything built on that has a value and no bounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fhvae.errors import TrialError

LEVEL = 0.95  # of all intervals, as convention has it
INTERVALS = "intervals"  # the key in `absent` of a stage's metrics, or the end of one
FEWEST_SPEAKERS = 6  # the fewest of which coverage is known: decision 0019
ROUNDING = 1e-12  # values of order 1 that differ by less are equal


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
        "how much speakers differ is hardly known from so few"
    )


@dataclass(frozen=True)
class Jackknife:
    """How far a value would move with other speakers.

    Attributes:
        error: its standard error.
        behind: how many speakers the error rests on, at most one less than there are.
    """

    error: float
    behind: float


def jackknife(left_out: np.ndarray) -> Jackknife:
    """Take the standard error of a value from what it is without each speaker, `[speaker]`.

    Where few speakers move the value, the error itself is hardly known: (sum u^2)^2 / sum u^4 of
    the deviations u says how few.

    Raises:
        TrialError: a value is NaN or infinite.
    """
    if not np.isfinite(left_out).all():
        raise TrialError("an interval needs a finite value without each speaker")
    most = len(left_out) - 1
    away = left_out - left_out.mean()
    squares = np.where(np.abs(away) > ROUNDING, away, 0.0) ** 2
    if not squares.any():
        return Jackknife(0.0, most)
    behind = squares.sum() ** 2 / (squares**2).sum()
    error = np.sqrt(most / len(left_out) * squares.sum())
    return Jackknife(float(error), float(min(most, behind)))


def students_t(degrees: float) -> float:
    """Give the quantile of Student's t that leaves half of 5 % above; infinite degrees: 1.96."""
    from scipy.stats import t

    return float(t.ppf((1 + LEVEL) / 2, degrees))


def rate_interval(value: float, left_out: np.ndarray, trials: int) -> Interval:
    """Bound a rate as if it came of independent trials, so many as vary like the speakers.

    These are n = v (1 - v) / variance, between 1 and `trials` (Korn and Graubard 1998); without
    an error, or with errors only, the variance says nothing, and each speaker counts as one
    trial. The bounds are Wilson's (1927), with Student's t: the rates r from which v is no
    farther than t sqrt(r (1 - r) / n). Its degrees of freedom are the harmonic mean of those of S
    speakers, S - 1, and of how many stand behind the error. The value is always inside.

    Args:
        value: the rate of all speakers, in [0, 1].
        left_out: the rate without each speaker, `[speaker]`; of too few there are no bounds.
        trials: that the rate is of: target trials, rows.
    """
    speakers = len(left_out)
    if not are_enough(speakers):
        return Interval(value)
    found, spread = jackknife(left_out), value * (1 - value)
    effective = float(min(trials, speakers))
    if spread > 0:
        effective = max(1.0, spread / max(found.error**2, spread / trials))
    degrees = 2 / (1 / (speakers - 1) + 1 / found.behind)
    pull = students_t(degrees) ** 2 / effective
    center = (value + pull / 2) / (1 + pull)
    reach = np.sqrt(pull * (spread + pull / 4)) / (1 + pull)
    low, high = float(center - reach), float(center + reach)
    return Interval(value, max(0.0, min(low, value)), min(1.0, max(high, value)))


def t_interval(value: float, left_out: np.ndarray) -> Interval:
    """Bound what is no rate, such as a difference of two, by its jackknife error and Student's t.

    Args:
        value: of all speakers.
        left_out: the same without each speaker, `[speaker]`; of too few there are no bounds.
    """
    if not are_enough(len(left_out)):
        return Interval(value)
    reach = students_t(len(left_out) - 1) * jackknife(left_out).error
    return Interval(value, value - reach, value + reach)


def leave_one_out(numerators: np.ndarray, denominators: np.ndarray) -> np.ndarray:
    """Compute a ratio of sums without each speaker, `[speaker]`.

    Empty where without one there is nothing to divide by.

    Args:
        numerators, denominators: `[speaker]`, such as correct rows and rows.
    """
    others = denominators.sum() - denominators
    if not (others > 0).all():
        return np.empty(0)
    return np.asarray((numerators.sum() - numerators) / others)


def ratio_interval(numerators: np.ndarray, denominators: np.ndarray) -> Interval:
    """Compute a rate that is a ratio of sums over speakers, such as an accuracy, and bound it.

    Args:
        numerators, denominators: `[speaker]`, such as correct rows and rows.
    """
    value = float(numerators.sum() / denominators.sum())
    left_out = leave_one_out(numerators, denominators)
    return rate_interval(value, left_out, int(denominators.sum()))


def mean_interval(numerators: np.ndarray, denominators: np.ndarray) -> Interval:
    """Compute a ratio of sums that is no rate, such as bits per row, and bound it.

    Args:
        numerators, denominators: `[speaker]`.
    """
    value = float(numerators.sum() / denominators.sum())
    return t_interval(value, leave_one_out(numerators, denominators))


def over_speakers_and_seeds(
    found: Sequence[Interval], limits: tuple[float, float] = (-np.inf, np.inf)
) -> Interval:
    """Pool what several trainings gave on the same test speakers: where one more would lie.

    A standard error over speakers is the distance from a value to the end of its interval over
    the normal quantile, below and above apart; what a new training adds is the variance between
    seeds times 1 + 1 / seeds. Both variances add up, and Student's t has the degrees of freedom
    of their sum (Satterthwaite). One training has no spread over seeds and keeps its interval.

    Args:
        found: of each training, at least one.
        limits: below and above which the value cannot lie.

    Returns:
        The mean; without bounds where a training has none.
    """
    values = np.array([one.value for one in found])
    value, seeds = float(values.mean()), len(values)
    bounds = [(one.low, one.high) for one in found if one.low is not None and one.high is not None]
    if len(bounds) < seeds:
        return Interval(value)
    away = np.abs(np.array(bounds) - values[:, None]) / students_t(np.inf)
    between = (1 + 1 / seeds) * float(values.var(ddof=1)) if seeds > 1 else 0.0
    below, above = (_reach(float((side**2).mean()), between, seeds) for side in away.T)
    return Interval(value, max(value - below, limits[0]), min(value + above, limits[1]))


def _reach(within: float, between: float, seeds: int) -> float:
    total = within + between
    degrees = (seeds - 1) * (total / between) ** 2 if between > 0 else np.inf
    return float(students_t(degrees) * np.sqrt(total))


def draw_counts(speakers: int, draws: int, random: np.random.Generator) -> np.ndarray:
    """Draw speakers with replacement: how often each was taken, `[draw, speaker]` int64.

    Below `FEWEST_SPEAKERS` there is no draw.
    """
    if not are_enough(speakers):
        return np.empty((0, speakers), np.int64)
    shares = np.full(speakers, 1 / speakers)
    return np.asarray(random.multinomial(speakers, shares, size=draws))
