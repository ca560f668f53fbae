"""PLDA of two covariances: a speaker's mean, and the spread of utterances around it.

    vector = place of the speaker + residual,   place ~ N(mean, between), residual ~ N(0, within)

Fitted to train speakers by EM; a trial is scored by the exact log-likelihood ratio.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fhvae.trials import Vectors


@dataclass(frozen=True)
class Plda:
    """A fitted model.

    Attributes:
        mean: `[dimension]`.
        between, within: `[dimension, dimension]` covariances, of speakers and of residuals.
    """

    mean: np.ndarray
    between: np.ndarray
    within: np.ndarray


@dataclass(frozen=True)
class SpeakerStatistics:
    """What EM needs to know of the train vectors.

    Attributes:
        counts: `[speaker]`, utterances of each.
        means: `[speaker, dimension]`.
        scatter: `[dimension, dimension]`, squares around each speaker's own mean, summed.
    """

    counts: np.ndarray
    means: np.ndarray
    scatter: np.ndarray


def speaker_statistics(vectors: Vectors, speakers: Sequence[str]) -> SpeakerStatistics:
    """Sum the vectors up, speakers in the order of their names."""
    _, owner, counts = np.unique(np.asarray(speakers), return_inverse=True, return_counts=True)
    means = np.zeros((len(counts), vectors.values.shape[1]))
    np.add.at(means, owner, vectors.values)
    means /= counts[:, None]
    residuals = vectors.values - means[owner]
    return SpeakerStatistics(counts, means, residuals.T @ residuals)


def fit_plda(vectors: Vectors, speakers: Sequence[str], iterations: int, least: float) -> Plda:
    """Fit mean and covariances to train vectors by EM, from their scatter as the start.

    `between` may be of low rank, as few speakers make it. `within` is kept from collapsing by
    a floor on its eigenvalues, which the maximization respects: the likelihood still rises.

    Args:
        vectors: of the train utterances.
        speakers: theirs, in the same order.
        iterations: of EM.
        least: that floor, as a share of the mean variance of the vectors.
    """
    statistics = speaker_statistics(vectors, speakers)
    floor = least * float(vectors.values.var(axis=0).mean()) + np.finfo(float).tiny
    plda = _start(statistics, floor)
    for _ in range(iterations):
        plda = _improve(plda, statistics, floor)
    return plda


def _start(statistics: SpeakerStatistics, floor: float) -> Plda:
    mean = np.average(statistics.means, axis=0, weights=statistics.counts)
    centered = statistics.means - mean
    between = centered.T @ centered / len(centered)
    return Plda(mean, between, _floored(statistics.scatter / statistics.counts.sum(), floor))


def _improve(plda: Plda, statistics: SpeakerStatistics, floor: float) -> Plda:
    """Take one step of EM."""
    places = np.empty_like(statistics.means)
    spread = np.zeros_like(plda.between)  # of the places, given the vectors, summed
    within = statistics.scatter.copy()
    for count in np.unique(statistics.counts):
        rows = statistics.counts == count
        gain = np.linalg.solve(plda.between + plda.within / count, plda.between).T
        left = plda.between - gain @ plda.between
        places[rows] = plda.mean + (statistics.means[rows] - plda.mean) @ gain.T
        missed = statistics.means[rows] - places[rows]
        spread += rows.sum() * left
        within += count * (missed.T @ missed + rows.sum() * left)
    mean = places.mean(axis=0)
    centered = places - mean
    between = (centered.T @ centered + spread) / len(places)
    return Plda(mean, (between + between.T) / 2, _floored(within / statistics.counts.sum(), floor))


def _floored(covariance: np.ndarray, floor: float) -> np.ndarray:
    values, directions = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.asarray((directions * np.maximum(values, floor)) @ directions.T)


def log_likelihood(plda: Plda, statistics: SpeakerStatistics) -> float:
    """Compute the log density of the train vectors, in nats, places integrated out."""
    total = 0.0
    size, precision = len(plda.mean), np.linalg.inv(plda.within)
    _, log_within = np.linalg.slogdet(plda.within)
    for count, mean in zip(statistics.counts, statistics.means, strict=True):
        spread = plda.within + count * plda.between
        _, log_spread = np.linalg.slogdet(spread)
        away = mean - plda.mean
        total += (count - 1) * log_within + log_spread
        total += count * float(away @ np.linalg.solve(spread, away))
    total += float((precision * statistics.scatter).sum())
    total += float(statistics.counts.sum()) * size * np.log(2 * np.pi)
    return float(-0.5 * total)


def likelihood_ratios(plda: Plda, left: Vectors, right: Vectors, counts: np.ndarray) -> np.ndarray:
    """Compare every vector of the left with every one of the right, `[left, right]`.

    The log of how much likelier the right is with the place of the left than with one of its own,
    in nats. A left vector may be the mean of n utterances, all that they say of their place. In
    the directions where `within` is the identity and `between` diagonal with variances v, given a
    the right is normal about n v a / (1 + n v) with variance 1 + v / (1 + n v), alone with 1 + v.

    Args:
        plda: fitted.
        left: enrolments; means where they are of several utterances.
        right: of one utterance each.
        counts: `[left]`, how many utterances each left vector is the mean of.
    """
    narrow = np.linalg.cholesky(plda.within)
    halfway = np.linalg.solve(narrow, plda.between)
    variances, turn = np.linalg.eigh(np.linalg.solve(narrow, halfway.T))
    variances = np.maximum(variances, 0)
    directions = np.linalg.solve(narrow.T, turn)
    a = (left.values - plda.mean) @ directions
    b = (right.values - plda.mean) @ directions
    ratios = np.empty((len(a), len(b)))
    for count in np.unique(counts):
        rows = counts == count
        share = count * variances / (1 + count * variances)
        spread = 1 + variances / (1 + count * variances)
        constant = (np.log1p(variances) - np.log(spread)).sum() / 2
        cross = (a[rows] * (share / spread)) @ b.T
        of_left = a[rows] ** 2 @ (share**2 / spread) / 2
        of_right = b**2 @ (1 / spread - 1 / (1 + variances)) / 2
        ratios[rows] = constant + cross - of_left[:, None] - of_right[None, :]
    return ratios
