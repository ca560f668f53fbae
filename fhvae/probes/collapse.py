"""Does the model use its latents: KL and variance per dimension, and distance to the priors.

A collapsed dimension has a KL near 0 and means that do not move: it says nothing about the
segment. A posterior that, averaged over all segments, is far from the prior makes samples from
the prior something the decoder has never seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fhvae.latents import Latents
from fhvae.model.gaussian import ACTIVE_VARIANCE
from fhvae.params.model import ModelParams


@dataclass(frozen=True)
class Usage:
    """How one latent is used.

    Attributes:
        kl: `[dimension]` nats, mean over segments of the KL from posterior to prior.
        variance: `[dimension]`, of the posterior means over segments.
        aggregate_kl: nats; KL to the prior of the Gaussian that has the mean and the covariance
            of all posteriors together.
    """

    kl: np.ndarray
    variance: np.ndarray
    aggregate_kl: float

    @property
    def active(self) -> int:
        """Count the dimensions whose means move."""
        return int((self.variance > ACTIVE_VARIANCE).sum())

    def metrics(self) -> dict[str, Any]:
        """Lay the totals out."""
        return {
            "kl": float(self.kl.sum()),
            "active": self.active,
            "dimensions": len(self.kl),
            "aggregate_kl": self.aggregate_kl,
        }


def kl_per_dimension(
    mean: np.ndarray, log_variance: np.ndarray, prior_mean: np.ndarray | float, prior_std: float
) -> np.ndarray:
    """Average KL(N(mean, exp(log_variance)) || N(prior_mean, prior_std^2)) over rows, in nats.

    Args:
        mean, log_variance: `[row, dimension]`.
        prior_mean: `[row, dimension]`, or 0.
        prior_std: standard deviation.
    """
    scaled = (np.exp(log_variance) + np.square(mean - prior_mean)) / prior_std**2
    each = (scaled - 1 - log_variance + 2 * np.log(prior_std)) / 2
    return np.asarray(each.mean(axis=0))


def aggregate_kl(mean: np.ndarray, variance: np.ndarray, prior_std: float) -> float:
    """Compare the mixture of all posteriors with N(0, prior_std^2) by its first two moments.

    Args:
        mean, variance: `[row, dimension]` of the posteriors, relative to the prior's mean.
        prior_std: standard deviation of the prior.

    Returns:
        KL in nats of the Gaussian with the mixture's mean and covariance; 0 where these are
        the prior's.
    """
    centre = mean.mean(axis=0)
    moved = mean - centre
    covariance = moved.T @ moved / len(mean) + np.diag(variance.mean(axis=0))
    scaled = covariance / prior_std**2
    log_volume = float(np.linalg.slogdet(scaled)[1])
    distance = float(np.square(centre).sum()) / prior_std**2
    return (float(np.trace(scaled)) + distance - len(centre) - log_volume) / 2


def measure_usage(latents: Latents, model: ModelParams) -> dict[str, Usage]:
    """Measure z1, z2 (about the mu2 of its utterance) and mu2 on a split.

    Args:
        latents: of the split.
        model: for the standard deviations of the priors.
    """
    z1, z2, mu2 = (
        np.asarray(values, np.float64) for values in (latents.z1_mean, latents.z2_mean, latents.mu2)
    )
    logs1, logs2 = latents.z1_log_variance.astype(float), latents.z2_log_variance.astype(float)
    of_segment = mu2[latents.segment_utterance]
    # mu2 in closed form is the mean of a Gaussian posterior; this is its variance
    precision = latents.lengths[:, None] / model.z2_std**2 + 1 / model.mu2_std**2
    variance = np.broadcast_to(1 / precision, mu2.shape)
    return {
        "z1": Usage(
            kl_per_dimension(z1, logs1, 0.0, model.z1_std),
            z1.var(axis=0),
            aggregate_kl(z1, np.exp(logs1), model.z1_std),
        ),
        "z2": Usage(
            kl_per_dimension(z2, logs2, of_segment, model.z2_std),
            z2.var(axis=0),
            aggregate_kl(z2 - of_segment, np.exp(logs2), model.z2_std),
        ),
        "mu2": Usage(
            kl_per_dimension(mu2, np.log(variance), 0.0, model.mu2_std),
            mu2.var(axis=0),
            aggregate_kl(mu2, variance, model.mu2_std),
        ),
    }


def usage_table(usages: Mapping[str, Usage]) -> pd.DataFrame:
    """Lay usage out as columns latent, dimension, kl, variance."""
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "latent": name,
                    "dimension": np.arange(len(usage.kl)),
                    "kl": usage.kl.round(6),
                    "variance": usage.variance.round(6),
                }
            )
            for name, usage in usages.items()
        ],
        ignore_index=True,
    )
