"""Intervals of error rates from resampled speakers.

Speakers are the independent units, not trials: each draw takes as many speakers as there
are, with replacement. A speaker drawn n times gives his target trials the weight n, and a
non-target trial of speakers drawn n and m times weighs n m; copies of one speaker never make
a non-target trial.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fhvae.errors import TrialError
from fhvae.intervals import LEVEL, Interval, are_enough, draw_counts, percentile_interval
from fhvae.trials.error_rates import ErrorCurve, RankedTrials, error_curve, rank_trials
from fhvae.trials.pairs import Trials
from fhvae.verification.crossing import resample_eer

CHUNK_WEIGHTS = 2_000_000  # weights held at a time: 16 MB per array
FEW_SPEAKERS = 20  # below, the jackknife stands beside the percentiles

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


def draw_speakers(trials: Trials, draws: int, random: np.random.Generator) -> SpeakerDraws:
    """Draw speakers with replacement, again where target or non-target trials get no weight.

    The same draws serve every system scored on these trials, so their differences can be
    compared draw by draw. Of too few speakers nobody is drawn.
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


def resample(
    trials: Trials, ranked: RankedTrials, draws: SpeakerDraws, metric: Metric
) -> np.ndarray:
    """Compute a metric under each draw of speakers, `[draw]` or what the metric gives for each.

    For the EER alone, `crossing.resample_eer` gives the same numbers sooner.
    """
    if len(draws.counts) == 0:
        return np.empty(0)
    enrol = trials.enrol_speakers[ranked.order]
    test = trials.test_speakers[ranked.order]
    chunk = max(1, CHUNK_WEIGHTS // len(enrol))
    values = []
    for start in range(0, len(draws.counts), chunk):
        counts = draws.counts[start : start + chunk].astype(np.float64)
        weights = counts[:, enrol] * np.where(ranked.is_target, 1.0, counts[:, test])
        values.append(metric(error_curve(ranked, weights)))
    return np.concatenate(values)


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
    """Compute how much a metric of the first system exceeds that of the second, draw by draw.

    Args:
        trials: the pairs that both systems scored.
        first, second: `[trial]` scores.
        draws: of `draw_speakers` for these trials.
        metric: such as `error_rates.equal_error_rate`.
    """
    ranked = [rank_trials(scores, trials.is_target) for scores in (first, second)]
    values = [float(metric(error_curve(one))) for one in ranked]
    resampled = [resample(trials, one, draws, metric) for one in ranked]
    return percentile_interval(values[0] - values[1], resampled[0] - resampled[1])


def check_jackknife(trials: Trials) -> None:
    """Raise TrialError where one kind of trial is gone when some speaker is left out."""
    usable = has_both_kinds(trials, _one_left_out(trials))
    if not usable.all():
        lost = trials.speaker_names[int(np.argmin(usable))]
        raise TrialError(
            "the jackknife needs target and non-target trials whoever is left out, without "
            f"speaker {lost} of {len(usable)} one kind is gone"
        )


def _one_left_out(trials: Trials) -> np.ndarray:
    speakers = len(trials.speaker_names)
    return np.ones((speakers, speakers), np.int64) - np.eye(speakers, dtype=np.int64)


def jackknife_eer(trials: Trials, ranked: RankedTrials, value: float) -> Interval:
    """Bound the EER by leaving out one speaker at a time, with Student's t.

    For lists of few speakers (`FEW_SPEAKERS`), where percentiles of draws are coarse.

    Args:
        trials: the pairs.
        ranked: the same pairs, ranked by score.
        value: the EER of all speakers.

    Raises:
        TrialError: without some speaker one kind of trial is gone.
    """
    from scipy.stats import t

    check_jackknife(trials)
    left_out = resample_eer(trials, ranked, _one_left_out(trials))
    speakers = len(left_out)
    spread = np.sqrt((speakers - 1) / speakers * ((left_out - left_out.mean()) ** 2).sum())
    reach = float(t.ppf((1 + LEVEL) / 2, speakers - 1) * spread)
    return Interval(value, max(0.0, value - reach), min(1.0, value + reach))
