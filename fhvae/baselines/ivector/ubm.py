"""The universal background model: a mixture of diagonal Gaussians, and an utterance's statistics.

Baum-Welch statistics are all that the i-vector sees of an utterance: how many frames each Gaussian
answers for, and their sum.
"""

import warnings
from dataclasses import dataclass

import numpy as np

MIN_VARIANCE_SHARE = 0.01  # of the variance over all frames
REGULARIZATION = 1e-3  # added to every variance; features have variance 1


@dataclass(frozen=True)
class Ubm:
    """A mixture of diagonal Gaussians.

    Attributes:
        weights: `[gaussian]`, sum 1.
        means, variances: `[gaussian, feature]` float64.
    """

    weights: np.ndarray
    means: np.ndarray
    variances: np.ndarray


@dataclass(frozen=True)
class FittedUbm:
    """A mixture and how its training went.

    Attributes:
        ubm: the mixture, variances floored.
        frames: trained on.
        iterations: of EM.
        converged: whether EM stopped by itself.
    """

    ubm: Ubm
    frames: int
    iterations: int
    converged: bool


@dataclass(frozen=True)
class Statistics:
    """Baum-Welch statistics, of one utterance or, with a first axis more, of many.

    Attributes:
        counts: `[gaussian]` or `[utterance, gaussian]`, frames per Gaussian, fractions summed.
        sums: `[gaussian, feature]` or `[utterance, gaussian, feature]`, frames not centered.
    """

    counts: np.ndarray
    sums: np.ndarray


def affordable_gaussians(asked: int, frames: int, each: int) -> int:
    """Limit the number of Gaussians so that there are `each` frames for one; at least 1."""
    return max(1, min(asked, frames // each))


def fit_ubm(frames: np.ndarray, gaussians: int, iterations: int, seed: int) -> FittedUbm:
    """Fit the mixture by EM, started from k-means++.

    Args:
        frames: `[frame, feature]`, at least two.
        gaussians: of the mixture.
        iterations: of EM, at most.
        seed: of the start, 32 bits.

    Source:
        paper-map: i-vector.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    mixture = GaussianMixture(
        gaussians,
        covariance_type="diag",
        reg_covar=REGULARIZATION,
        max_iter=iterations,
        init_params="k-means++",
        random_state=seed,
    )
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said in the metrics
        mixture.fit(frames.astype(np.float64))
    floor = MIN_VARIANCE_SHARE * frames.var(axis=0, dtype=np.float64)
    ubm = Ubm(mixture.weights_, mixture.means_, np.maximum(mixture.covariances_, floor))
    return FittedUbm(ubm, len(frames), int(mixture.n_iter_), bool(mixture.converged_))


def responsibilities(ubm: Ubm, frames: np.ndarray) -> np.ndarray:
    """Compute how likely each Gaussian made each frame, `[frame, gaussian]`; rows sum to 1."""
    wide = frames.astype(np.float64)
    precisions = 1 / ubm.variances
    distances = (
        np.square(wide) @ precisions.T
        - 2 * wide @ (ubm.means * precisions).T
        + (np.square(ubm.means) * precisions).sum(axis=1)
    )
    with np.errstate(divide="ignore"):  # a Gaussian without weight answers for nothing
        log_weights = np.log(ubm.weights)
    log_joint = log_weights - 0.5 * (np.log(ubm.variances).sum(axis=1) + distances)
    joint = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
    return np.asarray(joint / joint.sum(axis=1, keepdims=True))


def baum_welch(ubm: Ubm, frames: np.ndarray) -> Statistics:
    """Collect the statistics of one utterance, frames `[frame, feature]`."""
    shares = responsibilities(ubm, frames)
    return Statistics(shares.sum(axis=0), shares.T @ frames.astype(np.float64))
