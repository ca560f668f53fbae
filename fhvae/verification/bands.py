"""How far a DET curve may be off: intervals of FNR at fixed FPR."""

from dataclasses import dataclass

import numpy as np

from fhvae.intervals import LEVEL
from fhvae.trials.error_rates import ErrorCurve, rank_trials
from fhvae.trials.pairs import Trials
from fhvae.verification.intervals import SpeakerDraws, resample

GRID = np.round(np.geomspace(0.0005, 0.8, 60), 6)  # FPR, from one end of the plot to the other
MOST_DRAWS = 500  # a band is looked at, not quoted


@dataclass(frozen=True)
class Band:
    """A pointwise 95 % interval of FNR.

    Attributes:
        fpr: `[point]`, `GRID`.
        low, high: `[point]`, FNR.
    """

    fpr: np.ndarray
    low: np.ndarray
    high: np.ndarray


def det_band(trials: Trials, scores: np.ndarray, draws: SpeakerDraws) -> Band | None:
    """Resample the DET curve of one system and cut 2.5 % off both ends at each FPR.

    None where speakers are too few to be drawn.
    """
    if len(draws.counts) == 0:
        return None
    few = SpeakerDraws(draws.counts[:MOST_DRAWS], draws.redrawn)
    ranked = rank_trials(scores, trials.is_target)
    resampled = resample(trials, ranked, few, lambda curve: fnr_at(curve, GRID))
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return Band(GRID, low, high)


def fnr_at(curve: ErrorCurve, fpr: np.ndarray) -> np.ndarray:
    """Find FNR at the lowest threshold that lets no more than a share of non-targets through.

    Args:
        curve: of several weightings, `[draw, threshold]`.
        fpr: `[point]`.

    Returns:
        `[draw, point]`.
    """
    places = [np.searchsorted(-row, -fpr, side="left") for row in curve.fpr]
    return np.stack([row[place] for row, place in zip(curve.fnr, places, strict=True)])
