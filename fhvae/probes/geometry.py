"""How much of the phones is left when the directions of the speakers are taken out of a code.

Phones and speakers each have a centroid per label. The widest directions of the speaker
centroids are removed one after the other. Where content and speaker lie in directions of their
own, the variance of the phone centroids stays; where they share directions, it goes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fhvae.errors import TrialError
from fhvae.probes.tasks import Task, fold_labels


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
        TrialError: there is one phone or one speaker only.
    """
    phone_means, speaker_means = centroids(codes, phones), centroids(codes, speakers)
    _, widths, directions = np.linalg.svd(speaker_means, full_matrices=False)
    real = widths > 1e-9 * max(widths[0], 1e-300)
    along = np.square(phone_means @ directions[real].T).sum(axis=0) / np.square(phone_means).sum()
    residual = np.append(1.0, np.maximum(1 - np.cumsum(along), 0))
    shares = np.square(widths[real]) / np.square(widths[real]).sum()
    return ResidualCurve(residual, shares)


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


def measure_geometry(task: Task) -> dict[str, ResidualCurve]:
    """Draw the curves of z1 and of z1 with z2, from the scored rows of the phone task.

    Pauses are left out: they are far from every phone and would be most of the variance.
    """
    labels = fold_labels(task.score.labels, task.folding)
    spoken = ~np.isin(labels, sorted(task.silence))
    speakers = task.score.speakers[spoken]
    return {
        name: residual_curve(task.score.inputs[name][spoken], labels[spoken], speakers)
        for name in ("z1", "z1z2")
    }
