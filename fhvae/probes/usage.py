"""What is reported beside probes: the use of the latents, and the geometry of the codes.

A collapsed dimension has a KL near 0 and means that do not move: it says nothing about the
segment. A posterior that, averaged over all segments, is far from the prior makes samples from
the prior something the decoder has never seen.

The geometry tells how much of the phones is left when the directions of the speakers are taken
out of a code. Phones and speakers each have a centroid per label. The widest directions of the
speaker centroids are removed one after the other. Where content and speaker lie in directions of
their own, the variance of the phone centroids stays; where they share directions, it goes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fhvae.errors import TrialError
from fhvae.latents import Latents
from fhvae.model.gaussian import ACTIVE_VARIANCE
from fhvae.params.model import ModelParams
from fhvae.probes.questions import NO_PHONES
from fhvae.probes.tasks import Task, fold_labels


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
    center = mean.mean(axis=0)
    moved = mean - center
    covariance = moved.T @ moved / len(mean) + np.diag(variance.mean(axis=0))
    scaled = covariance / prior_std**2
    log_volume = float(np.linalg.slogdet(scaled)[1])
    distance = float(np.square(center).sum()) / prior_std**2
    return (float(np.trace(scaled)) + distance - len(center) - log_volume) / 2


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


@dataclass(frozen=True)
class ResidualCurve:
    """What is left of the phones.

    Attributes:
        residual: `[removed + 1]`, share of the phone centroids' variance left after taking out
            0, 1, 2, ... directions; begins at 1.
        speaker_share: `[removed]`, share of the speaker centroids' variance along each.
    """

    residual: np.ndarray
    speaker_share: np.ndarray

    @property
    def kept(self) -> float:
        """Residual after each removal, averaged with the weight of the speaker variance removed.

        1: no phone variance lies where speakers differ; near 0: all of it lies along the first.
        """
        return float((self.residual[1:] * self.speaker_share).sum())


def centroids(codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Average the codes of each label, `[label, dimension]`, with the mean of these taken off."""
    names, place = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        raise TrialError(f"the geometry needs at least 2 phones and 2 speakers, found {len(names)}")
    sums = np.zeros((len(names), codes.shape[1]))
    np.add.at(sums, place, codes)
    means = sums / np.bincount(place)[:, None]
    return np.asarray(means - means.mean(axis=0))


def residual_curve(codes: np.ndarray, phones: np.ndarray, speakers: np.ndarray) -> ResidualCurve:
    """Take the speaker directions out of the phone centroids, the widest first.

    Args:
        codes: `[segment, dimension]`.
        phones, speakers: `[segment]`.

    Raises:
        TrialError: there is one phone or one speaker only, or the codes of all are alike.
    """
    phone_means, speaker_means = centroids(codes, phones), centroids(codes, speakers)
    if not (phone_means.any() and speaker_means.any()):
        raise TrialError("the geometry needs codes that differ between phones and speakers")
    _, widths, directions = np.linalg.svd(speaker_means, full_matrices=False)
    real = widths > 1e-9 * max(widths[0], 1e-300)
    along = np.square(phone_means @ directions[real].T).sum(axis=0) / np.square(phone_means).sum()
    residual = np.append(1.0, np.maximum(1 - np.cumsum(along), 0))
    shares = np.square(widths[real]) / np.square(widths[real]).sum()
    return ResidualCurve(residual, shares)


def measure_geometry(tasks: Sequence[Task]) -> dict[str, ResidualCurve]:
    """Draw the curves of z1 and of z1 with z2, from the scored rows of the phone task.

    Pauses are left out: they are far from every phone and would be most of the variance.

    Raises:
        TrialError: no task asks for phones, or there is one phone or one speaker only.
    """
    task = next((one for one in tasks if one.name == "phone"), None)
    if task is None:
        raise TrialError(NO_PHONES)
    labels = fold_labels(task.score.labels, task.folding)
    spoken = ~np.isin(labels, sorted(task.silence))
    speakers = task.score.speakers[spoken]
    return {
        name: residual_curve(task.score.inputs[name][spoken], labels[spoken], speakers)
        for name in ("z1", "z1z2")
    }


def geometry_table(curves: Mapping[str, ResidualCurve]) -> pd.DataFrame:
    """Lay curves out as columns code, removed, residual, speaker_variance_removed."""
    tables = [
        pd.DataFrame(
            {
                "code": name,
                "removed": np.arange(len(curve.residual)),
                "residual": curve.residual.round(6),
                "speaker_variance_removed": np.append(0, np.cumsum(curve.speaker_share)).round(6),
            }
        )
        for name, curve in curves.items()
    ]
    columns = ["code", "removed", "residual", "speaker_variance_removed"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def extra_metrics(
    curves: Mapping[str, ResidualCurve], usages: Mapping[str, Usage], abx: Mapping[str, object]
) -> dict[str, Any]:
    """Lay out what is not a probe; a part without a value is left out."""
    found: dict[str, Any] = {
        "geometry": {name: {"phone_variance_kept": curve.kept} for name, curve in curves.items()},
        "usage": {name: usage.metrics() for name, usage in usages.items()},
        "abx": dict(abx),
    }
    return {name: part for name, part in found.items() if part}
