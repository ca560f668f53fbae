"""Total variability: the subspace in which utterances differ, and the i-vector, a point in it.

    mean of Gaussian c in utterance u = m_c + T_c w_u,   w_u ~ N(0, I)

Which Gaussian made which frame is taken from the UBM and its variances are kept, so the
posterior of w is Gaussian and EM for T has a closed form (Dehak et al. 2011; Kenny 2005 for EM
and minimum divergence). The i-vector is the posterior mean. float64 throughout.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fhvae.baselines.ivector.ubm import Statistics, Ubm

log = logging.getLogger(__name__)
CHUNK_UTTERANCES = 250  # whose `[rank, rank]` matrices are held at a time
MIN_COUNT = 1e-6  # frames; a Gaussian that answers for less keeps its rows of T
START_SCALE = 0.1  # of T, in standard deviations of the Gaussians


@dataclass(frozen=True)
class TotalVariability:
    """The model of how utterances differ.

    Attributes:
        means: m, `[gaussian, feature]`.
        matrix: T, `[gaussian, feature, rank]`.
        variances: of the UBM, `[gaussian, feature]`.
    """

    means: np.ndarray
    matrix: np.ndarray
    variances: np.ndarray

    @property
    def rank(self) -> int:
        """Dimension of the i-vector."""
        return int(self.matrix.shape[2])


@dataclass(frozen=True)
class Posterior:
    """The posterior of w of several utterances.

    Attributes:
        means: `[utterance, rank]`, the i-vectors.
        covariances: `[utterance, rank, rank]`.
        log_likelihoods: `[utterance]` nats, see `infer`.
    """

    means: np.ndarray
    covariances: np.ndarray
    log_likelihoods: np.ndarray


@dataclass(frozen=True)
class Trained:
    """A trained model with its course.

    Attributes:
        model: after the last iteration and minimum divergence.
        log_likelihoods: nats per frame above the UBM's, T = 0: at the start, after each
            iteration, and after minimum divergence.
    """

    model: TotalVariability
    log_likelihoods: tuple[float, ...]


@dataclass
class Sums:
    """What an M-step needs of all utterances.

    Attributes:
        outer: `[gaussian, rank, rank]`, second moments of w weighted by counts.
        cross: `[gaussian, feature, rank]`, centered sums times w.
        first, second: `[rank]`, `[rank, rank]`, moments of w.
        log_likelihood: nats.
        utterances: counted.
    """

    outer: np.ndarray
    cross: np.ndarray
    first: np.ndarray
    second: np.ndarray
    log_likelihood: float = 0.0
    utterances: int = 0


def affordable_rank(asked: int, utterances: int, each: int) -> int:
    """Limit the rank so that `each` utterances teach a dimension; at least 1."""
    return max(1, min(asked, utterances // each))


def start(ubm: Ubm, rank: int, random: np.random.Generator) -> TotalVariability:
    """Begin with a small random T."""
    scale = START_SCALE * np.sqrt(ubm.variances)[:, :, None]
    matrix = scale * random.normal(size=(*ubm.means.shape, rank))
    return TotalVariability(ubm.means, matrix, ubm.variances)


def infer(model: TotalVariability, statistics: Statistics) -> Posterior:
    """Compute the posterior of w of each utterance.

    With L = I + sum_c N_c T_c' S_c^-1 T_c and b = sum_c T_c' S_c^-1 (F_c - N_c m_c) the posterior
    is N(L^-1 b, L^-1). `log_likelihoods` is that of w = 0 (`means_log_likelihoods`) and
    b' L^-1 b / 2 - log|L| / 2: the log density of the frames with w integrated out, less what
    neither m nor T enters.

    Args:
        model: of rank R.
        statistics: `[utterance, ...]`.

    Source:
        paper-map: i-vector.
    """
    rank = model.rank
    weighted = model.matrix / model.variances[:, :, None]
    per_frame = weighted.transpose(0, 2, 1) @ model.matrix  # [gaussian, rank, rank]
    flat = statistics.counts @ per_frame.reshape(len(per_frame), -1)
    precisions = np.eye(rank) + flat.reshape(-1, rank, rank)
    centered = centered_sums(model, statistics)
    pull = centered.reshape(len(centered), -1) @ weighted.reshape(-1, rank)
    covariances, half_log_determinants = np.empty_like(precisions), np.empty(len(precisions))
    for place, precision in enumerate(precisions):
        covariances[place], half_log_determinants[place] = _invert(precision)
    means = (covariances @ pull[:, :, None])[:, :, 0]
    gains = 0.5 * (pull * means).sum(axis=1) - half_log_determinants
    return Posterior(
        means=means,
        covariances=covariances,
        log_likelihoods=means_log_likelihoods(model.means, model.variances, statistics) + gains,
    )


def _invert(precision: np.ndarray) -> tuple[np.ndarray, float]:
    """Invert a positive definite matrix by Cholesky; give also half its log determinant."""
    from scipy.linalg.lapack import dpotrf, dpotri

    lower, failed = dpotrf(precision, lower=1)
    if failed:  # cannot be for finite statistics: I is added to a sum of squares
        raise FloatingPointError("the precision of an i-vector is not positive definite")
    half_log_determinant = float(np.log(np.diag(lower)).sum())
    half, _ = dpotri(lower, lower=1)  # above the diagonal stay the zeros of `lower`
    covariance = half + half.T
    np.fill_diagonal(covariance, np.diag(half))
    return covariance, half_log_determinant


def means_log_likelihoods(
    means: np.ndarray, variances: np.ndarray, statistics: Statistics
) -> np.ndarray:
    """Sum m_c' S_c^-1 (F_c - N_c m_c / 2): all of the frames' log density that m enters.

    Args:
        means, variances: `[gaussian, feature]`.
        statistics: `[utterance, ...]`.

    Returns:
        `[utterance]` nats.
    """
    scaled = means / variances
    halves = 0.5 * (means * scaled).sum(axis=1)
    return np.asarray(
        statistics.sums.reshape(len(statistics.sums), -1) @ scaled.ravel()
        - statistics.counts @ halves
    )


def centered_sums(model: TotalVariability, statistics: Statistics) -> np.ndarray:
    """Compute F_c - N_c m_c, `[utterance, gaussian, feature]`."""
    return np.asarray(statistics.sums - statistics.counts[:, :, None] * model.means)


def chunks(statistics: Statistics) -> Iterator[Statistics]:
    """Walk over the statistics a few hundred utterances at a time."""
    for first in range(0, len(statistics.counts), CHUNK_UTTERANCES):
        part = slice(first, first + CHUNK_UTTERANCES)
        yield Statistics(statistics.counts[part], statistics.sums[part])


def ivectors(model: TotalVariability, statistics: Statistics) -> np.ndarray:
    """Compute the i-vector of each utterance, `[utterance, rank]` float64."""
    return np.concatenate([infer(model, part).means for part in chunks(statistics)])


def expectation(model: TotalVariability, statistics: Statistics) -> Sums:
    """Sum what an M-step needs over all utterances."""
    gaussians, features, rank = model.matrix.shape
    sums = Sums(
        outer=np.zeros((gaussians, rank, rank)),
        cross=np.zeros((gaussians, features, rank)),
        first=np.zeros(rank),
        second=np.zeros((rank, rank)),
    )
    for part in chunks(statistics):
        posterior = infer(model, part)
        w = posterior.means
        moments = posterior.covariances + w[:, :, None] * w[:, None, :]
        sums.outer += (part.counts.T @ moments.reshape(len(w), -1)).reshape(-1, rank, rank)
        centered = centered_sums(model, part).reshape(len(w), -1)
        sums.cross += (centered.T @ w).reshape(gaussians, features, rank)
        sums.first += w.sum(axis=0)
        sums.second += moments.sum(axis=0)
        sums.log_likelihood += float(posterior.log_likelihoods.sum())
        sums.utterances += len(w)
    return sums


def maximization(model: TotalVariability, sums: Sums, counts: np.ndarray) -> TotalVariability:
    """Choose the T of highest expected log-likelihood.

    Args:
        model: the one that `sums` was computed with.
        sums: of `expectation`.
        counts: `[gaussian]`, over all utterances; a Gaussian without frames keeps its rows of T.
    """
    from scipy.linalg import cho_factor, cho_solve

    matrix = model.matrix.copy()
    for place in np.flatnonzero(counts > MIN_COUNT):
        matrix[place] = cho_solve(cho_factor(sums.outer[place]), sums.cross[place].T).T
    return TotalVariability(model.means, matrix, model.variances)


def minimize_divergence(model: TotalVariability, sums: Sums) -> TotalVariability:
    """Fit the prior of w to the utterances, then carry it into m and T so that it is N(0, I) again.

    `reparametrize` says how; the likelihood can only rise.
    """
    mean = sums.first / sums.utterances
    covariance = sums.second / sums.utterances - np.outer(mean, mean)
    return reparametrize(model, mean, covariance)


def reparametrize(
    model: TotalVariability, mean: np.ndarray, covariance: np.ndarray
) -> TotalVariability:
    """Express the model with w ~ N(mean, covariance) by one with w ~ N(0, I).

    m + T w with w = mean + G v and G G' = covariance: the supervectors keep their distribution.

    Args:
        model: m and T that go with the prior given.
        mean: `[rank]`.
        covariance: `[rank, rank]`, positive definite.
    """
    lower = np.linalg.cholesky(covariance)
    return TotalVariability(
        model.means + model.matrix @ mean, model.matrix @ lower, model.variances
    )


def train(
    ubm: Ubm, statistics: Statistics, rank: int, iterations: int, random: np.random.Generator
) -> Trained:
    """Learn T by EM and end with a minimum-divergence step.

    Args:
        ubm: the statistics were collected with.
        statistics: of the train utterances.
        rank: dimension of the i-vector.
        iterations: of EM.
        random: of the start.
    """
    model = start(ubm, rank, random)
    counts = statistics.counts.sum(axis=0)
    ubm_alone = float(means_log_likelihoods(ubm.means, ubm.variances, statistics).sum())
    course: list[float] = []

    def note(sums: Sums, step: str) -> None:
        course.append((sums.log_likelihood - ubm_alone) / float(counts.sum()))
        log.info("i-vector, %s: %.6f nats per frame above the UBM", step, course[-1])

    sums = expectation(model, statistics)
    note(sums, "start")
    for iteration in range(1, iterations + 1):
        model = maximization(model, sums, counts)
        sums = expectation(model, statistics)
        note(sums, f"iteration {iteration}")
    model = minimize_divergence(model, sums)
    note(expectation(model, statistics), "minimum divergence")
    return Trained(model, tuple(course))
