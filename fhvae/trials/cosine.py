"""One vector per utterance, scored by cosine."""

from dataclasses import dataclass

import numpy as np

from fhvae.errors import TrialError
from fhvae.trials.pairs import Trials


@dataclass(frozen=True)
class Vectors:
    """One vector per utterance.

    Attributes:
        utterance_ids: sorted.
        values: `[utterance, dimension]` float64.
    """

    utterance_ids: tuple[str, ...]
    values: np.ndarray

    def take(self, rows: slice) -> "Vectors":
        """Take some of the utterances."""
        return Vectors(self.utterance_ids[rows], self.values[rows])


def cosine_scores(vectors: Vectors, trials: Trials) -> np.ndarray:
    """Score each trial by the cosine of its two vectors, not centred, `[trial]`.

    Raises:
        TrialError: a vector is zero or not finite; the message names the utterance.
        ValueError: vectors and trials are of different utterances.
    """
    if vectors.utterance_ids != trials.utterance_ids:
        raise ValueError("vectors and trials must be of the same utterances, sorted")
    return np.asarray(cosines(vectors, vectors)[trials.enrol, trials.test])


def cosines(left: Vectors, right: Vectors) -> np.ndarray:
    """Compare every vector of the left with every one of the right, `[left, right]`.

    Raises:
        TrialError: a vector is zero or not finite; the message names the utterance.
    """
    unit = normalize_length(left)
    other = unit if right is left else normalize_length(right)
    return np.asarray(unit @ other.T)


def normalize_length(vectors: Vectors) -> np.ndarray:
    """Scale every vector to length 1, `[utterance, dimension]`.

    Raises:
        TrialError: a vector is zero or not finite; the message names the utterance.
    """
    lengths = np.linalg.norm(vectors.values, axis=1)
    for utterance_id, length in zip(vectors.utterance_ids, lengths, strict=True):
        if not (np.isfinite(length) and length > 0):
            raise TrialError(
                f"utterance {utterance_id}: a vector must be finite and not zero to be scored "
                f"by its direction, its length is {length}"
            )
    return np.asarray(vectors.values / lengths[:, None])
