"""A cheap look at the EER while training."""

from collections.abc import Sequence

import numpy as np

from fhvae.errors import TrialError
from fhvae.trials.cosine import Vectors, cosine_scores
from fhvae.trials.error_rates import eer
from fhvae.trials.pairs import pairs_of


def cosine_eer(vectors: np.ndarray, speakers: Sequence[str]) -> float | None:
    """Compute the EER of all pairs scored by cosine; None where there is no answer.

    There is none if a vector is zero or not finite, or if one kind of trial is missing.

    Args:
        vectors: `[utterance, dimension]`.
        speakers: of each utterance.
    """
    ids = tuple(f"{position:09d}" for position in range(len(vectors)))
    try:
        trials = pairs_of(ids, speakers)
        scores = cosine_scores(Vectors(ids, np.asarray(vectors, np.float64)), trials)
        return eer(scores, trials.is_target)
    except TrialError:
        return None
