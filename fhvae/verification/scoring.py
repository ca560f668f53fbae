"""The back-ends by name: fitted on train, chosen on dev, never shown test.

cos       cosine, not centred
cos_c     cosine after the mean of the train vectors is taken off
lda<k>    LDA to k dimensions, cosine
lda       the one of those, or all dimensions there are, that has the lowest EER on dev
plda      PLDA of what LDA keeps; how many dimensions, dev says again
*_asn     with AS-norm against the mean vectors of the train speakers

Rows of `SUPERVISED` have seen which train utterances share a speaker.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from fhvae.errors import TrialError
from fhvae.trials.cosine import Vectors, cosines
from fhvae.trials.error_rates import eer
from fhvae.trials.pairs import Trials
from fhvae.verification.backends import Lda, fit_lda, lda_speakers, project
from fhvae.verification.plda import fit_plda, likelihood_ratios
from fhvae.verification.score_normalization import check_cohort, normalize_scores, speaker_means

ROWS_AT_A_TIME = 2000  # of the matrix of all scores
SUPERVISED = ("lda", "plda", "cos_asn", "plda_asn")  # from which the best on dev is chosen


@dataclass(frozen=True)
class Backend:
    """A way to score two vectors.

    Attributes:
        embed: what becomes of a vector first.
        compare: two sets of such to scores `[left, right]`.
        dimensions: of what `embed` gives.
        cohort: vectors to normalize scores by, already embedded; None for none.
    """

    embed: Callable[[Vectors], Vectors]
    compare: Callable[[Vectors, Vectors], np.ndarray]
    dimensions: int
    cohort: Vectors | None = None


@dataclass(frozen=True)
class TrainVectors:
    """What back-ends are fitted on.

    Attributes:
        vectors: one per train utterance.
        speakers: theirs, in the same order.
    """

    vectors: Vectors
    speakers: Sequence[str]


@dataclass(frozen=True)
class DevVectors:
    """What choices are made on: vectors of the dev utterances, and all their pairs."""

    vectors: Vectors
    trials: Trials


@dataclass(frozen=True)
class Backends:
    """Fitted back-ends by name, and why one is missing."""

    fitted: Mapping[str, Backend]
    absent: Mapping[str, str]


def score_trials(backend: Backend, vectors: Vectors, trials: Trials) -> np.ndarray:
    """Score trials, `[trial]`.

    Args:
        backend: fitted.
        vectors: of the utterances (and models) of the trials.
        trials: the pairs.

    Raises:
        TrialError: a vector has no direction; the message names the utterance.
    """
    if vectors.utterance_ids != trials.utterance_ids:
        raise ValueError("vectors and trials must be of the same utterances, sorted")
    embedded = backend.embed(vectors)
    scores = np.empty(len(trials))
    for start in range(0, len(vectors.utterance_ids), ROWS_AT_A_TIME):
        chosen = (trials.enrol >= start) & (trials.enrol < start + ROWS_AT_A_TIME)
        rows = embedded.take(slice(start, start + ROWS_AT_A_TIME))
        found = backend.compare(rows, embedded)
        scores[chosen] = found[trials.enrol[chosen] - start, trials.test[chosen]]
    if backend.cohort is None:
        return scores
    return normalize_scores(scores, backend.compare(embedded, backend.cohort), trials)


def fit_backends(
    train: TrainVectors, dev: DevVectors | None, dimensions: Sequence[int]
) -> Backends:
    """Fit every back-end to one kind of vector.

    Args:
        train: vectors and speakers of the train split.
        dev: where the dimension of `lda` is chosen; None where dev has no trials.
        dimensions: those of the rows `lda<k>`.
    """
    fitted: dict[str, Backend] = {}
    absent: dict[str, str] = {}
    for name, make in _makers(train, dev, dimensions).items():
        try:
            fitted[name] = make()
        except TrialError as error:
            absent[name] = str(error)
    return Backends(fitted, absent)


def _makers(
    train: TrainVectors, dev: DevVectors | None, dimensions: Sequence[int]
) -> dict[str, Callable[[], Backend]]:
    """Name what fits each back-end; one may raise TrialError without harm to the others."""
    size = train.vectors.values.shape[1]
    counts = (*dimensions, size)
    cosine = Backend(_as_it_is, cosines, size)

    @cache
    def whole() -> Lda:
        return fit_lda(train.vectors, train.speakers, size)

    def cuts() -> list[Lda]:
        most = whole().directions.shape[1]
        return [cut(whole(), count) for count in sorted({min(most, one) for one in counts})]

    @cache
    def plda() -> Backend:
        return best_on_dev([plda_backend(lda, train) for lda in cuts()], dev)

    makers: dict[str, Callable[[], Backend]] = {
        "cos": lambda: cosine,
        "cos_c": lambda: Backend(_Centre(train.vectors.values.mean(axis=0)), cosines, size),
        "cos_asn": lambda: with_cohort(cosine, train),
        "lda": lambda: best_on_dev([lda_backend(lda) for lda in cuts()], dev),
        "plda": plda,
        "plda_asn": lambda: with_cohort(plda(), train),
    }
    for count in dimensions:
        makers[f"lda{count}"] = partial(lambda kept: lda_backend(cut(whole(), kept)), count)
    return makers


def _as_it_is(vectors: Vectors) -> Vectors:
    return vectors


@dataclass(frozen=True)
class _Centre:
    """Take a mean off every vector."""

    mean: np.ndarray

    def __call__(self, vectors: Vectors) -> Vectors:
        return Vectors(vectors.utterance_ids, vectors.values - self.mean)


def cut(lda: Lda, dimensions: int) -> Lda:
    """Keep the most telling directions, as many as there are at most."""
    return Lda(lda.mean, lda.directions[:, :dimensions])


def lda_backend(lda: Lda) -> Backend:
    """Compare by cosine what LDA keeps."""
    return Backend(lambda vectors: project(lda, vectors), cosines, lda.directions.shape[1])


def best_on_dev(backends: Sequence[Backend], dev: DevVectors | None) -> Backend:
    """Choose the back-end with the lowest EER on dev; of equals, the first.

    Args:
        backends: fitted, the smallest first.
        dev: vectors and trials; None where there are no trials.

    Raises:
        TrialError: there is no dev to choose on.
    """
    if dev is None:
        raise TrialError("dev has no trials on which the number of dimensions could be chosen")
    is_target = dev.trials.is_target
    scores = [score_trials(backend, dev.vectors, dev.trials) for backend in backends]
    return backends[int(np.argmin([eer(one, is_target) for one in scores]))]


def plda_backend(lda: Lda, train: TrainVectors) -> Backend:
    """Fit PLDA to what LDA keeps of the train vectors.

    With some tens of train speakers, covariances of the whole vectors are not known; LDA
    leaves directions that differ between speakers, at most one fewer than there are speakers.
    Only speakers with two utterances count, as for LDA. Lengths are not normalized: mu2 is
    Gaussian by its model, and the model here weighs lengths by itself.
    """
    usable = np.isin(np.array(train.speakers), sorted(lda_speakers(train.speakers)))
    vectors = project(lda, train.vectors)
    ids = tuple(np.array(vectors.utterance_ids)[usable].tolist())
    speakers = np.array(train.speakers)[usable].tolist()
    plda = fit_plda(Vectors(ids, vectors.values[usable]), speakers)
    return Backend(
        embed=lambda vectors: project(lda, vectors),
        compare=lambda left, right: likelihood_ratios(plda, left, right),
        dimensions=lda.directions.shape[1],
    )


def with_cohort(backend: Backend, train: TrainVectors) -> Backend:
    """Normalize the scores of a back-end by those against the train speakers' mean vectors."""
    cohort = backend.embed(speaker_means(train.vectors, train.speakers))
    check_cohort(cohort)
    return replace(backend, cohort=cohort)
