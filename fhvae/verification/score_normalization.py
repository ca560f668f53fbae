"""AS-norm: a score seen from the scores that both sides reach against strangers."""

from collections.abc import Sequence

import numpy as np

from fhvae.errors import TrialError
from fhvae.trials.cosine import Vectors
from fhvae.trials.pairs import Trials

MOST_IMPOSTORS = 100
LEAST_SPREAD = 1e-8  # of the cohort's scores; a smaller one is rounding and divides nothing
SMALLEST_COHORT = 4  # half of it are two scores, the least that spread


def speaker_means(vectors: Vectors, speakers: Sequence[str]) -> Vectors:
    """Average the vectors of each speaker: the cohort; names of speakers in place of ids."""
    names, owner, counts = np.unique(np.array(speakers), return_inverse=True, return_counts=True)
    means = np.zeros((len(names), vectors.values.shape[1]))
    np.add.at(means, owner, vectors.values)
    return Vectors(tuple(str(name) for name in names), means / counts[:, None])


def check_cohort(cohort: Vectors) -> None:
    """Raise TrialError where the cohort is too small to normalize by."""
    if len(cohort.utterance_ids) < SMALLEST_COHORT:
        raise TrialError(
            f"AS-norm needs at least {SMALLEST_COHORT} train speakers, found "
            f"{len(cohort.utterance_ids)}"
        )


def normalize_scores(scores: np.ndarray, against_cohort: np.ndarray, trials: Trials) -> np.ndarray:
    """Average the two z-scores of a trial: by the cohort of its enrolment and of its test.

    Each side is normalized by mean and standard deviation of its highest cohort scores, half
    of the cohort and at most 100.

    Args:
        scores: `[trial]`.
        against_cohort: `[utterance, cohort]`.
        trials: whose they are.

    Source:
        Cumani et al., Interspeech 2011 (adaptive selection of the cohort).
    """
    top = min(MOST_IMPOSTORS, against_cohort.shape[1] // 2)
    highest = np.sort(against_cohort, axis=1)[:, -top:]
    mean, spread = highest.mean(axis=1), highest.std(axis=1)
    spread = np.where(spread < LEAST_SPREAD, 1.0, spread)
    by_enrol = (scores - mean[trials.enrol]) / spread[trials.enrol]
    by_test = (scores - mean[trials.test]) / spread[trials.test]
    return np.asarray((by_enrol + by_test) / 2)
