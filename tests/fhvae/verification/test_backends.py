"""Back-ends by name: what each is, what is chosen on dev, what cannot be fitted; LDA, AS-norm."""

import dataclasses

import numpy as np
import pytest

from fhvae.errors import TrialError
from fhvae.params.whole import load_params
from fhvae.trials import Vectors, cosine_scores, eer, pairs_of
from fhvae.verification import backends as scoring
from fhvae.verification.backends import (
    Backend,
    DevVectors,
    TrainVectors,
    best_on_dev,
    by_cosine,
    cut,
    fit_backends,
    fit_lda,
    lda_backend,
    lda_speakers,
    normalize_scores,
    project,
    score_trials,
    speaker_means,
    with_cohort,
)

DIMENSION = 6
PARAMS = dataclasses.replace(load_params().verification, lda_dimensions=(2, 4))
NAMES = {"cos", "cos_c", "cos_asn", "lda2", "lda4", "lda", "plda", "plda_asn"}


def voices(speakers, each, seed, told=3, prefix="s"):
    """Speakers differ in the first `told` of six numbers; all sit far from the origin."""
    random = np.random.default_rng(seed)
    owner = np.repeat(np.arange(speakers), each)
    values = random.normal(size=(len(owner), DIMENSION)) + 4
    values[:, :told] += 2.5 * random.normal(size=(speakers, told))[owner]
    names = [f"{prefix}{speaker:02d}" for speaker in owner]
    return Vectors(tuple(f"{prefix}u{place:03d}" for place in range(len(owner))), values), names


def fit_all(train, dev, dimensions):
    return fit_backends(train, dev, dataclasses.replace(PARAMS, lda_dimensions=tuple(dimensions)))


@pytest.fixture(scope="module")
def train():
    return TrainVectors(*voices(12, 6, seed=1))


@pytest.fixture(scope="module")
def dev():
    vectors, speakers = voices(6, 5, seed=2, prefix="d")
    return DevVectors(vectors, pairs_of(vectors.utterance_ids, speakers))


@pytest.fixture(scope="module")
def test_split():
    vectors, speakers = voices(8, 5, seed=3, prefix="t")
    return vectors, pairs_of(vectors.utterance_ids, speakers)


def test_every_back_end_is_fitted(train, dev, test_split):
    vectors, trials = test_split
    backends = fit_all(train, dev, [2, 4])
    assert set(backends.fitted) == NAMES
    assert backends.absent == {}
    rates = {
        name: eer(score_trials(backend, vectors, trials), trials.is_target)
        for name, backend in backends.fitted.items()
    }
    assert rates["lda"] < rates["cos_c"] < rates["cos"]
    assert rates["plda"] < rates["cos_c"]


def test_cos_is_the_cosine_and_cos_c_that_of_centered_vectors(train, dev, test_split):
    vectors, trials = test_split
    fitted = fit_all(train, dev, [2]).fitted
    np.testing.assert_allclose(
        score_trials(fitted["cos"], vectors, trials), cosine_scores(vectors, trials), atol=1e-14
    )
    centered = Vectors(vectors.utterance_ids, vectors.values - train.vectors.values.mean(axis=0))
    np.testing.assert_allclose(
        score_trials(fitted["cos_c"], vectors, trials), cosine_scores(centered, trials), atol=1e-14
    )


def test_lda_rows_are_lda_of_that_size(train, dev, test_split):
    vectors, trials = test_split
    fitted = fit_all(train, dev, [2, 4]).fitted
    for count in (2, 4):
        lda = fit_lda(train.vectors, train.speakers, count)
        expected = cosine_scores(project(lda, vectors), trials)
        found = score_trials(fitted[f"lda{count}"], vectors, trials)
        np.testing.assert_allclose(found, expected, atol=1e-9)
        assert fitted[f"lda{count}"].dimensions == count


def test_the_dimension_is_the_best_on_dev_and_of_equals_the_fewest(train, dev):
    whole = fit_lda(train.vectors, train.speakers, DIMENSION)
    tried = [lda_backend(cut(whole, count)) for count in (1, 2, 3, 6)]
    rates = [eer(score_trials(one, dev.vectors, dev.trials), dev.trials.is_target) for one in tried]
    assert best_on_dev(tried, dev) is tried[int(np.argmin(rates))]
    assert rates[2] < rates[0]  # speakers differ in three numbers: one direction is too few
    assert best_on_dev([tried[2], tried[2], tried[0]], dev) is tried[2]
    chosen = fit_all(train, dev, [1, 3]).fitted["lda"].dimensions
    assert chosen == (1, 3, 6)[int(np.argmin([rates[0], rates[2], rates[3]]))]


def test_the_test_split_has_no_say(train, dev):
    """Fitting takes train and dev only; here dev alone is changed, and the choice with it."""
    flat = Vectors(dev.vectors.utterance_ids, dev.vectors.values.copy())
    flat.values[:, 1:] = 4.0  # only the first number is left to tell speakers by
    sizes = {
        fit_all(train, one, [1, 3]).fitted["lda"].dimensions
        for one in (dev, DevVectors(flat, dev.trials))
    }
    assert len(sizes) == 2


def test_normalized_scores_do_not_depend_on_what_all_vectors_share(train, dev, test_split):
    """A cohort moved along with the vectors leaves a PLDA score where it was."""
    vectors, trials = test_split

    def scores(shift):
        moved = [
            Vectors(one.utterance_ids, one.values + shift)
            for one in (train.vectors, dev.vectors, vectors)
        ]
        own = TrainVectors(moved[0], train.speakers)
        backend = fit_all(own, DevVectors(moved[1], dev.trials), [3]).fitted["plda_asn"]
        return score_trials(backend, moved[2], trials)

    np.testing.assert_allclose(scores(50.0), scores(0.0), rtol=1e-5, atol=1e-5)


def test_scoring_a_few_rows_at_a_time_changes_nothing(monkeypatch, train, dev, test_split):
    vectors, trials = test_split
    backend = fit_all(train, dev, [3]).fitted["cos_asn"]
    whole = score_trials(backend, vectors, trials)
    monkeypatch.setattr(scoring, "ROWS_AT_A_TIME", 7)
    np.testing.assert_allclose(score_trials(backend, vectors, trials), whole, atol=1e-12)


def test_vectors_in_another_order_are_refused(train, dev, test_split):
    vectors, trials = test_split
    turned = Vectors(vectors.utterance_ids[::-1], vectors.values)
    with pytest.raises(ValueError, match="same utterances"):
        score_trials(fit_all(train, dev, [3]).fitted["cos"], turned, trials)


def test_without_dev_trials_nothing_is_chosen(train):
    backends = fit_all(train, None, [2, 4])
    assert set(backends.fitted) == {"cos", "cos_c", "cos_asn", "lda2", "lda4"}
    assert set(backends.absent) == {"lda", "plda", "plda_asn"}
    assert "dev has no trials" in backends.absent["plda_asn"]


def test_lonely_train_utterances_leave_the_cosines(dev):
    vectors, _ = voices(6, 1, seed=4)
    backends = fit_all(TrainVectors(vectors, list("abcdef")), dev, [2])
    assert set(backends.fitted) == {"cos", "cos_c", "cos_asn"}
    assert set(backends.absent) == {"lda2", "lda", "plda", "plda_asn"}
    assert "at least 2 train speakers" in backends.absent["lda2"]


def test_three_train_speakers_make_no_cohort(dev):
    backends = fit_all(TrainVectors(*voices(3, 6, seed=5)), dev, [2])
    assert set(backends.absent) == {"cos_asn", "plda_asn"}
    assert "at least 4 train speakers, found 3" in backends.absent["cos_asn"]
    assert backends.fitted["plda"].dimensions <= 2


def speaker_vectors(speakers: int, each: int, seed: int) -> tuple[Vectors, list[str]]:
    """Speakers differ in the first of five dimensions; the second is loud and says nothing."""
    random = np.random.default_rng(seed)
    owner = np.repeat(np.arange(speakers), each)
    places = np.linspace(-4, 4, speakers)
    values = 0.5 * random.normal(size=(len(owner), 5))
    values[:, 0] += places[owner]
    values[:, 1] += 30 * random.normal(size=len(owner))
    values += 3.0  # far from the origin
    ids = tuple(f"u{place:03d}" for place in range(len(owner)))
    return Vectors(ids, values), [f"s{speaker:02d}" for speaker in owner]


def test_lda_finds_the_direction_of_the_speakers():
    vectors, speakers = speaker_vectors(12, 6, seed=1)
    lda = fit_lda(vectors, speakers, dimensions=1)
    direction = np.abs(lda.directions[:, 0]) / np.linalg.norm(lda.directions[:, 0])
    assert direction[0] > 0.99
    assert direction[1] < 0.05


def test_lda_improves_the_eer_where_one_dimension_is_noise():
    train, train_speakers = speaker_vectors(12, 6, seed=2)
    test, test_speakers = speaker_vectors(2, 8, seed=3)  # places -4 and 4
    trials = pairs_of(test.utterance_ids, test_speakers)
    lda = fit_lda(train, train_speakers, dimensions=1)
    assert eer(cosine_scores(project(lda, test), trials), trials.is_target) == 0.0
    assert eer(cosine_scores(test, trials), trials.is_target) > 0.3


def test_lda_does_not_depend_on_where_the_origin_is():
    train, speakers = speaker_vectors(5, 4, seed=4)
    test, test_speakers = speaker_vectors(3, 3, seed=5)
    trials = pairs_of(test.utterance_ids, test_speakers)
    shift = np.array([100.0, -50.0, 7.0, 0.0, 30.0])

    def scores(offset):
        moved = Vectors(train.utterance_ids, train.values + offset)
        lda = fit_lda(moved, speakers, dimensions=2)
        return cosine_scores(
            project(lda, Vectors(test.utterance_ids, test.values + offset)), trials
        )

    np.testing.assert_allclose(scores(shift), scores(0 * shift), atol=1e-8)


@pytest.mark.parametrize(
    ("wanted", "speakers", "kept"),
    [(2, 9, 2), (24, 4, 3), (24, 9, 5)],
    ids=["as-asked", "speakers-minus-1", "size-of-the-vector"],
)
def test_lda_keeps_as_many_directions_as_there_can_be(wanted, speakers, kept):
    vectors, names = speaker_vectors(speakers, 3, seed=6)
    lda = fit_lda(vectors, names, dimensions=wanted)
    assert lda.directions.shape == (5, kept)
    assert project(lda, vectors).values.shape == (speakers * 3, kept)


def test_train_speakers_with_one_utterance_are_not_used():
    vectors, names = speaker_vectors(4, 3, seed=7)
    lonely = Vectors((*vectors.utterance_ids, "x"), np.vstack([vectors.values, 99 * np.ones(5)]))
    with_lonely = fit_lda(lonely, [*names, "alone"], dimensions=2)
    without = fit_lda(vectors, names, dimensions=2)
    np.testing.assert_array_equal(with_lonely.directions, without.directions)
    assert lda_speakers([*names, "alone"]) == {"s00", "s01", "s02", "s03"}


def test_utterances_that_do_not_differ_are_refused():
    values = np.repeat(np.random.default_rng(9).normal(size=(4, 3)), 3, axis=0)
    vectors = Vectors(tuple(f"u{place:02d}" for place in range(12)), values)
    with pytest.raises(TrialError, match="LDA needs train vectors that vary within a speaker"):
        fit_lda(vectors, list("aaabbbcccddd"), dimensions=2)


def test_too_few_train_speakers_are_refused():
    vectors, _ = speaker_vectors(2, 2, seed=8)
    with pytest.raises(TrialError, match=r"at least 2 train speakers .* found 1 among 3"):
        fit_lda(vectors, ["a", "a", "b", "c"], dimensions=2)


TRIALS = pairs_of(["u1", "u2", "u3"], ["a", "a", "b"])  # (1, 2), (1, 3), (2, 3)
AGAINST = np.array([[0.0, 1, 4, 8, -9], [2, 2, 0, 6, 0], [-1, -1, -1, -1, -1.0]])


def test_as_norm_by_hand():
    # Half of five is two: the highest are 8, 4 (mean 6, std 2), 6, 2 (4, 2) and -1, -1 (-1, 0).
    found = normalize_scores(np.array([7.0, 5, 3]), AGAINST, TRIALS, 100)
    expected = [((7 - 6) / 2 + (7 - 4) / 2) / 2, ((5 - 6) / 2 + 6) / 2, ((3 - 4) / 2 + 4) / 2]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_side_of_an_utterance_does_not_matter():
    swapped = dataclasses.replace(TRIALS, enrol=TRIALS.test, test=TRIALS.enrol)
    scores = np.array([7.0, 5, 3])
    np.testing.assert_array_equal(
        normalize_scores(scores, AGAINST, TRIALS, 100),
        normalize_scores(scores, AGAINST, swapped, 100),
    )


@pytest.mark.parametrize("most", [20, 100])
def test_only_the_highest_of_the_cohort_count(most):
    against = np.tile(np.concatenate([np.full(200, -1e6), np.arange(100.0)]), (3, 1))
    found = normalize_scores(np.zeros(3), against, TRIALS, most)
    highest = np.arange(100.0)[-most:]
    np.testing.assert_allclose(found, -highest.mean() / highest.std(), atol=1e-12)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("plda", {"plda_iterations": 1}),
        ("plda", {"plda_floor": 0.5}),
        ("cos_asn", {"asnorm_cohort": 2}),
        ("plda_asn", {"asnorm_cohort": 2}),
    ],
)
def test_the_params_are_read(train, dev, test_split, name, change):
    vectors, trials = test_split
    usual, other = (
        score_trials(fit_backends(train, dev, params).fitted[name], vectors, trials)
        for params in (PARAMS, dataclasses.replace(PARAMS, **change))
    )
    assert not np.allclose(usual, other, rtol=1e-3)


def test_the_cohort_is_the_mean_of_each_speaker():
    vectors = Vectors(("u1", "u2", "u3"), np.array([[1.0, 2], [10, 10], [3, 4]]))
    cohort = speaker_means(vectors, ["b", "a", "b"])
    assert cohort.utterance_ids == ("a", "b")
    np.testing.assert_array_equal(cohort.values, [[10, 10], [2, 3]])


def as_it_is(vectors):
    return vectors


def test_a_small_cohort_is_refused():
    vectors, cosine = Vectors(("u1", "u2", "u3", "u4"), np.eye(4)), Backend(as_it_is, by_cosine, 4)
    four = TrainVectors(vectors, list("abcd"))
    assert with_cohort(cosine, four, PARAMS).cohort.vectors.values.shape == (4, 4)
    with pytest.raises(TrialError, match="at least 4 train speakers, found 3"):
        with_cohort(cosine, TrainVectors(vectors, list("abca")), PARAMS)
