"""Cosine and LDA scores: by hand, by invariance, and where they have no answer."""

import numpy as np
import pytest

from fhvae.errors import TrialError
from fhvae.trials.cosine import Vectors, cosine_scores, cosines
from fhvae.trials.error_rates import eer
from fhvae.trials.pairs import pairs_of
from fhvae.verification.backends import fit_lda, lda_speakers, project

NAMES = ("u1", "u2", "u3")
TRIALS = pairs_of(NAMES, ["a", "a", "b"])


def test_cosine_by_hand():
    vectors = Vectors(NAMES, np.array([[1.0, 0.0], [3.0, 4.0], [0.0, -2.0]]))
    np.testing.assert_allclose(cosine_scores(vectors, TRIALS), [0.6, 0.0, -0.8], atol=1e-15)


def test_cosine_ignores_lengths():
    values = np.random.default_rng(0).normal(size=(3, 4))
    scaled = values * np.array([[0.1], [7.0], [1e6]])
    np.testing.assert_allclose(
        cosine_scores(Vectors(NAMES, scaled), TRIALS),
        cosine_scores(Vectors(NAMES, values), TRIALS),
        atol=1e-14,
    )


@pytest.mark.parametrize(("bad", "found"), [(0.0, "0.0"), (np.nan, "nan"), (np.inf, "inf")])
def test_a_vector_without_direction_is_named(bad, found):
    values = np.array([[1.0, 2.0], [bad, bad], [3.0, 1.0]])
    with pytest.raises(TrialError, match=f"utterance u2: .*its length is {found}"):
        cosine_scores(Vectors(NAMES, values), TRIALS)


def test_vectors_in_another_order_are_refused():
    with pytest.raises(ValueError, match="same utterances"):
        cosine_scores(Vectors(("u2", "u1", "u3"), np.ones((3, 2))), TRIALS)


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


def test_cosines_of_two_sets():
    left = Vectors(("u1", "u2"), np.array([[1.0, 0], [3, 4]]))
    right = Vectors(("a", "b", "c"), np.array([[0, 2.0], [5, 0], [-3, -4]]))
    np.testing.assert_allclose(cosines(left, right), [[0, 1, -0.6], [0.8, 0.6, -1]], atol=1e-15)


def test_too_few_train_speakers_are_refused():
    vectors, _ = speaker_vectors(2, 2, seed=8)
    with pytest.raises(TrialError, match=r"at least 2 train speakers .* found 1 among 3"):
        fit_lda(vectors, ["a", "a", "b", "c"], dimensions=2)
