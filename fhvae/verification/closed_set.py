"""Closed-set speaker identification: who of the test speakers says this other sentence?

A linear classifier learns the test speakers from some of their sentences and names the speaker of
the others, from one vector per utterance.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from fhvae.corpus.manifest import Utterance
from fhvae.corpus.text import normalize_text
from fhvae.errors import TrialError
from fhvae.intervals import Interval, ratio_interval
from fhvae.trials import Vectors

NAMED_BY = ("z1_stats", "mu2", "fbank")  # vectors of the stage verify
MIN_STD = 1e-6  # over the utterances; below, a statistic says nothing but rounding
HALVES = 2  # of the sentences: one fits, the other is told, and the other way round


@dataclass(frozen=True)
class ClosedSet:
    """Accuracy over test speakers.

    Attributes:
        accuracy: with its interval over speakers.
        chance: of a guess, one over the number of speakers.
        speakers: who have two sentences.
        left_out: speakers who have not.
    """

    accuracy: Interval
    chance: float
    speakers: int
    left_out: int

    def metrics(self) -> dict[str, float | int]:
        """Lay the accuracy out with what it rests on."""
        return {**asdict(self), **self.accuracy.metrics("accuracy")}


def sentence_halves(utterances: Sequence[Utterance]) -> np.ndarray:
    """Deal each speaker's sentences out to two halves in turn, `[utterance]` of 0, 1 or -1.

    Utterances of one sentence go to one half; without a text each is a sentence of its own. A
    speaker of a single sentence gets -1.
    """
    sentences: dict[str, set[str]] = defaultdict(set)
    for item in utterances:
        sentences[item.speaker].add(_sentence(item))
    half = {
        (speaker, sentence): place % HALVES if len(own) >= HALVES else -1
        for speaker, own in sentences.items()
        for place, sentence in enumerate(sorted(own))
    }
    return np.array([half[item.speaker, _sentence(item)] for item in utterances])


def _sentence(utterance: Utterance) -> str:
    return normalize_text(utterance.text) or utterance.utterance_id


def closed_sets(
    vectors: Mapping[str, Vectors], utterances: Sequence[Utterance]
) -> dict[str, dict[str, float | int]]:
    """Lay out the metrics of the vectors `NAMED_BY`; arguments otherwise as of `closed_set`."""
    return {name: closed_set(vectors[name], utterances).metrics() for name in NAMED_BY}


def closed_set(vectors: Vectors, utterances: Sequence[Utterance]) -> ClosedSet:
    """Name the speaker of every test utterance by a classifier fitted on the other half.

    Args:
        vectors: of the test split.
        utterances: the same, in the same order.

    Raises:
        TrialError: fewer than two speakers have two sentences, nothing varies by which one could
            be named, or a value is NaN or infinite.
    """
    halves = sentence_halves(utterances)
    usable = halves >= 0
    speakers = np.array([item.speaker for item in utterances])
    names, labels = np.unique(speakers[usable], return_inverse=True)
    if len(names) < 2:
        raise TrialError(
            f"closed-set identification needs at least 2 test speakers with {HALVES} sentences "
            f"each, found {len(names)} among {len(set(speakers))}"
        )
    if not np.isfinite(vectors.values).all():
        raise TrialError("closed-set identification needs vectors of finite numbers")
    named = name_speakers(vectors.values[usable], labels, halves[usable])
    if (named < 0).any():
        raise TrialError("closed-set identification needs vectors that vary within a speaker")
    spoken = np.bincount(labels).astype(np.float64)
    hits = np.bincount(labels, weights=named == labels, minlength=len(names))
    return ClosedSet(
        accuracy=ratio_interval(hits, spoken),
        chance=1 / len(names),
        speakers=len(names),
        left_out=len(set(speakers)) - len(names),
    )


def name_speakers(vectors: np.ndarray, labels: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """Name each utterance's speaker by a classifier fitted on the half it is not in.

    Args:
        vectors: `[utterance, dimension]`.
        labels: `[utterance]`, speakers counted from 0.
        halves: `[utterance]`, 0 or 1.

    Returns:
        `[utterance]` labels.
    """
    named = np.full(len(labels), -1)
    for half in range(HALVES):
        asked, known = halves == half, halves != half
        named[asked] = classify(vectors[known], labels[known], vectors[asked])
    return named


def classify(known: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Take the nearest speaker mean, by the covariance that all speakers share.

    That is linear discriminant analysis with equal priors; the covariance of the few utterances
    is shrunk after Ledoit and Wolf (2004), so there is no setting to choose.

    Args:
        known: `[utterance, dimension]`, of the speakers in `labels`, each there at least once.
        labels: `[utterance]`, speakers counted from 0.
        asked: `[utterance, dimension]`.

    Returns:
        `[utterance]` labels; -1 where nothing varies and no speaker can be named.
    """
    from sklearn.covariance import ledoit_wolf
    from threadpoolctl import threadpool_limits

    means = np.array([known[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
    away = known - means[labels]
    std = away.std(axis=0)
    telling = (std > MIN_STD) & np.isfinite(std)
    if not telling.any():
        return np.full(len(asked), -1)
    means, away, asked = (part[:, telling] / std[telling] for part in (means, away, asked))
    with threadpool_limits(1):
        covariance, _ = ledoit_wolf(away, assume_centered=True)
        directions = np.linalg.solve(covariance, means.T)  # [dimension, speaker]
        scores = asked @ directions - 0.5 * (means * directions.T).sum(axis=1)
    return np.asarray(scores.argmax(axis=1))
