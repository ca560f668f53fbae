"""A calibration for `Model.score`: from the cosine of two mu2 to a log-likelihood ratio."""

from collections.abc import Sequence

import numpy as np

from fhvae.errors import TrialError
from fhvae.model.weights import Calibration
from fhvae.trials import Vectors, cosine_scores, pairs_of
from fhvae.verification.error_rates import are_separated, fit_calibration


def calibrate(mu2: np.ndarray, speakers: Sequence[str]) -> Calibration | None:
    """Fit scale and offset on all pairs of dev, same and different speakers weighing one half each.

    None where there is no best one: one kind of pair is missing, a threshold parts the two, or
    the cosine tells nothing.

    Args:
        mu2: `[utterance, z2]`.
        speakers: of each utterance.
    """
    ids = tuple(f"{position:09d}" for position in range(len(mu2)))
    try:
        trials = pairs_of(ids, speakers)
        scores = cosine_scores(Vectors(ids, np.asarray(mu2, np.float64)), trials)
        if are_separated(scores, trials.is_target):
            return None
        found = fit_calibration(scores, trials.is_target)
    except TrialError:
        return None
    return Calibration(found.slope, found.offset) if found.slope > 0 else None
