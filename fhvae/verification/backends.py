"""What the train speakers teach about vectors before they are scored: LDA."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fhvae.errors import TrialError
from fhvae.trials.cosine import Vectors

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
