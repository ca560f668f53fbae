"""From vectors to scores: the cosine, with or without LDA before it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fhvae.errors import TrialError
from fhvae.verification.trials import Trials
from fhvae.verification.vectors import Vectors

MIN_UTTERANCES = 2  # of a train speaker: one alone says nothing about his own spread


@dataclass(frozen=True)
class Lda:
    """Directions that tell the train speakers apart.

    Attributes:
        mean: `[dimension]`, of the train vectors.
        directions: `[dimension, direction]`, the most telling first.
    """

    mean: np.ndarray
    directions: np.ndarray


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


def fit_lda(vectors: Vectors, speakers: Sequence[str], dimensions: int) -> Lda:
    """Find the directions in which train speakers differ most for their own spread.

    Args:
        vectors: of the train utterances.
        speakers: theirs, in the same order.
        dimensions: directions to keep, at most; fewer speakers or a smaller vector give fewer.

    Raises:
        TrialError: fewer than two train speakers have two utterances, or the utterances of
            each are all alike.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    usable = lda_speakers(speakers)
    if len(usable) < 2:
        raise TrialError(
            f"LDA needs at least 2 train speakers with {MIN_UTTERANCES} utterances each, found "
            f"{len(usable)} among {len(set(speakers))} train speakers"
        )
    chosen = np.isin(np.asarray(speakers), sorted(usable))
    values = vectors.values[chosen]
    kept = min(dimensions, len(usable) - 1, values.shape[1])
    lda = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto", n_components=kept)
    try:
        lda.fit(values, np.asarray(speakers)[chosen])
    except np.linalg.LinAlgError as error:
        raise TrialError(f"LDA needs train vectors that vary within a speaker ({error})") from error
    return Lda(mean=values.mean(axis=0), directions=lda.scalings_[:, :kept])


def lda_speakers(speakers: Iterable[str]) -> set[str]:
    """Pick the train speakers that have enough utterances for LDA."""
    counts = Counter(speakers)
    return {speaker for speaker, count in counts.items() if count >= MIN_UTTERANCES}


def project(lda: Lda, vectors: Vectors) -> Vectors:
    """Keep of every vector what LDA keeps, seen from the mean of the train vectors.

    The solver "eigen" leaves the mean in, which turns every cosine towards 1 where the mean
    is large, as in standard deviations of frames; the solver "svd" takes it out, as we do.
    """
    return Vectors(vectors.utterance_ids, (vectors.values - lda.mean) @ lda.directions)
