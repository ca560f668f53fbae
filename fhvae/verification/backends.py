"""The back-ends by name: fitted on train, chosen on dev, never shown test.

cos       cosine, not centered
cos_c     cosine after the mean of the train vectors is taken off
lda<k>    LDA to k dimensions, cosine
lda       the one of those, or all dimensions there are, that has the lowest EER on dev
plda      PLDA of what LDA keeps; how many dimensions, dev says again
*_asn     with AS-norm against the mean vectors of the train speakers

Rows of `SUPERVISED` have seen which train utterances share a speaker.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from fhvae.errors import TrialError
from fhvae.params.verification import VerificationParams
from fhvae.trials import Trials, Vectors, cosines, eer
from fhvae.verification.plda import fit_plda, likelihood_ratios

SUPERVISED = ("lda", "plda", "cos_asn", "plda_asn")  # from which the best on dev is chosen
ROWS_AT_A_TIME = 2000  # of the matrix of all scores
MIN_UTTERANCES = 2  # of a train speaker: one alone says nothing about how the speaker varies
LEAST_SPREAD = 1e-8  # of the cohort's scores; a smaller one is rounding and divides nothing
SMALLEST_COHORT = 4  # half of it are two scores, the least that spread


@dataclass(frozen=True)
class Cohort:
    """What scores are normalized by.

    Attributes:
        vectors: of strangers, embedded.
        most: how many of the highest scores against them count; half of them at most.
    """

    vectors: Vectors
    most: int


@dataclass(frozen=True)
class Backend:
    """A way to score two vectors.

    Attributes:
        embed: what becomes of a vector first.
        compare: two sets of such to scores `[left, right]`, with how many utterances each of the
            left is the mean of, `[left]`.
        dimensions: of what `embed` gives.
        cohort: to normalize scores by; None for none.
    """

    embed: Callable[[Vectors], Vectors]
    compare: Callable[[Vectors, Vectors, np.ndarray], np.ndarray]
    dimensions: int
    cohort: Cohort | None = None


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


def score_trials(
    backend: Backend, vectors: Vectors, trials: Trials, counts: np.ndarray | None = None
) -> np.ndarray:
    """Score trials, `[trial]`.

    Args:
        backend: fitted.
        vectors: of the utterances (and models) of the trials.
        trials: the pairs.
        counts: `[vector]`, how many utterances each is the mean of; None: one.

    Raises:
        TrialError: a vector has no direction; the message names the utterance.
    """
    if vectors.utterance_ids != trials.utterance_ids:
        raise ValueError("vectors and trials must be of the same utterances, sorted")
    embedded = backend.embed(vectors)
    means_of = np.ones(len(vectors.values), np.int64) if counts is None else counts
    scores = np.empty(len(trials))
    for start in range(0, len(vectors.utterance_ids), ROWS_AT_A_TIME):
        chosen = (trials.enrol >= start) & (trials.enrol < start + ROWS_AT_A_TIME)
        part = slice(start, start + ROWS_AT_A_TIME)
        found = backend.compare(embedded.take(part), embedded, means_of[part])
        scores[chosen] = found[trials.enrol[chosen] - start, trials.test[chosen]]
    if backend.cohort is None:
        return scores
    against = backend.compare(embedded, backend.cohort.vectors, means_of)
    return normalize_scores(scores, against, trials, backend.cohort.most)


def normalize_scores(
    scores: np.ndarray, against_cohort: np.ndarray, trials: Trials, most: int
) -> np.ndarray:
    """Average the two z-scores of a trial: by the cohort of its enrolment and of its test.

    This is AS-norm, a score seen from the scores that both sides reach against strangers. Each
    side is normalized by mean and standard deviation of its highest cohort scores, half of the
    cohort and at most `most`.

    Args:
        scores: `[trial]`.
        against_cohort: `[utterance, cohort]`.
        trials: whose they are.
        most: scores against the cohort, on either side.

    Source:
        Cumani et al., Interspeech 2011 (adaptive selection of the cohort).
    """
    top = min(most, against_cohort.shape[1] // 2)
    highest = np.sort(against_cohort, axis=1)[:, -top:]
    mean, spread = highest.mean(axis=1), highest.std(axis=1)
    spread = np.where(spread < LEAST_SPREAD, 1.0, spread)
    by_enrol = (scores - mean[trials.enrol]) / spread[trials.enrol]
    by_test = (scores - mean[trials.test]) / spread[trials.test]
    return np.asarray((by_enrol + by_test) / 2)


def fit_backends(
    train: TrainVectors, dev: DevVectors | None, params: VerificationParams
) -> Backends:
    """Fit every back-end to one kind of vector.

    Args:
        train: vectors and speakers of the train split.
        dev: where the dimension of `lda` is chosen; None where dev has no trials.
        params: section `verification`.
    """
    fitted: dict[str, Backend] = {}
    absent: dict[str, str] = {}
    for name, make in _makers(train, dev, params).items():
        try:
            fitted[name] = make()
        except TrialError as error:
            absent[name] = str(error)
    return Backends(fitted, absent)


def _makers(
    train: TrainVectors, dev: DevVectors | None, params: VerificationParams
) -> dict[str, Callable[[], Backend]]:
    """Name what fits each back-end; one may raise TrialError without harm to the others."""
    size = train.vectors.values.shape[1]
    mean = train.vectors.values.mean(axis=0)
    cosine = Backend(lambda vectors: vectors, by_cosine, size)

    @cache
    def whole() -> Lda:
        return fit_lda(train.vectors, train.speakers, size)

    @cache
    def cuts() -> list[Lda]:
        most = whole().directions.shape[1]
        counts = (*params.lda_dimensions, size)
        return [cut(whole(), count) for count in sorted({min(most, one) for one in counts})]

    @cache
    def plda() -> Backend:
        return best_on_dev([plda_backend(lda, train, params) for lda in cuts()], dev)

    makers: dict[str, Callable[[], Backend]] = {
        "cos": lambda: cosine,
        "cos_c": lambda: replace(cosine, embed=lambda vectors: _less(vectors, mean)),
        "cos_asn": lambda: with_cohort(cosine, train, params),
        "lda": lambda: best_on_dev([lda_backend(lda) for lda in cuts()], dev),
        "plda": plda,
        "plda_asn": lambda: with_cohort(plda(), train, params),
    }
    for count in params.lda_dimensions:
        makers[f"lda{count}"] = partial(lambda kept: lda_backend(cut(whole(), kept)), count)
    return makers


def by_cosine(left: Vectors, right: Vectors, counts: np.ndarray) -> np.ndarray:
    """Compare directions, `[left, right]`; of how many utterances one is the mean is no matter."""
    del counts
    return cosines(left, right)


def _less(vectors: Vectors, mean: np.ndarray) -> Vectors:
    return Vectors(vectors.utterance_ids, vectors.values - mean)


def supervised_dev_error(
    train: TrainVectors, dev: DevVectors | None, params: VerificationParams
) -> float | None:
    """Give the EER on dev of the supervised back-end that is best there; None where there is none.

    Args:
        train: vectors and speakers of the train split.
        dev: where it is chosen and scored; None where dev has no trials.
        params: section `verification`.
    """
    if dev is None:
        return None
    fitted = fit_backends(train, dev, params).fitted
    rates = [
        eer(score_trials(fitted[name], dev.vectors, dev.trials), dev.trials.is_target)
        for name in SUPERVISED
        if name in fitted
    ]
    return min(rates, default=None)


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
    """Find the directions in which train speakers differ most, measured by how each varies.

    Args:
        vectors: of the train utterances.
        speakers: theirs, in the same order.
        dimensions: directions to keep, at most; fewer speakers or a smaller vector give fewer.

    Raises:
        TrialError: fewer than two train speakers have two utterances, or the utterances of
            each are all alike, or beyond what a covariance can hold.
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
    except (np.linalg.LinAlgError, ValueError) as error:
        raise TrialError(f"LDA needs train vectors that vary within a speaker ({error})") from error
    return Lda(mean=values.mean(axis=0), directions=lda.scalings_[:, :kept])


def lda_speakers(speakers: Iterable[str]) -> set[str]:
    """Pick the train speakers that have enough utterances for LDA."""
    counts = Counter(speakers)
    return {speaker for speaker, count in counts.items() if count >= MIN_UTTERANCES}


def cut(lda: Lda, dimensions: int) -> Lda:
    """Keep the most telling directions, as many as there are at most."""
    return Lda(lda.mean, lda.directions[:, :dimensions])


def project(lda: Lda, vectors: Vectors) -> Vectors:
    """Keep of every vector what LDA keeps, seen from the mean of the train vectors.

    The solver "eigen" leaves the mean in, which turns every cosine toward 1 where the mean
    is large, as in standard deviations of frames; the solver "svd" takes it out, as we do.
    """
    return Vectors(vectors.utterance_ids, (vectors.values - lda.mean) @ lda.directions)


def lda_backend(lda: Lda) -> Backend:
    """Compare by cosine what LDA keeps."""
    return Backend(partial(project, lda), by_cosine, lda.directions.shape[1])


def plda_backend(lda: Lda, train: TrainVectors, params: VerificationParams) -> Backend:
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
    learned = Vectors(ids, vectors.values[usable])
    plda = fit_plda(learned, speakers, params.plda_iterations, params.plda_floor)
    return replace(lda_backend(lda), compare=partial(likelihood_ratios, plda))


def with_cohort(backend: Backend, train: TrainVectors, params: VerificationParams) -> Backend:
    """Normalize the scores of a back-end by those against the train speakers' mean vectors.

    Raises:
        TrialError: the train speakers are too few to normalize by.
    """
    means = speaker_means(train.vectors, train.speakers)
    if len(means.utterance_ids) < SMALLEST_COHORT:
        raise TrialError(
            f"AS-norm needs at least {SMALLEST_COHORT} train speakers, found "
            f"{len(means.utterance_ids)}"
        )
    return replace(backend, cohort=Cohort(backend.embed(means), params.asnorm_cohort))


def speaker_means(vectors: Vectors, speakers: Sequence[str]) -> Vectors:
    """Average the vectors of each speaker: the cohort; names of speakers in place of ids."""
    names, owner, counts = np.unique(np.array(speakers), return_inverse=True, return_counts=True)
    means = np.zeros((len(names), vectors.values.shape[1]))
    np.add.at(means, owner, vectors.values)
    return Vectors(tuple(str(name) for name in names), means / counts[:, None])
