"""PLDA: the likelihood rises, planted covariances come back, ratios are those of densities."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from fhvae.trials import Vectors, cosine_scores, eer, pairs_of
from fhvae.verification.plda import (
    Plda,
    fit_plda,
    likelihood_ratios,
    log_likelihood,
    speaker_statistics,
)

FLOOR = 1e-6

BETWEEN = np.array([[4.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 0.3]])
WITHIN = np.array([[1.0, -0.4, 0.1], [-0.4, 0.8, 0.0], [0.1, 0.0, 0.5]])
MEAN = np.array([5.0, -2.0, 0.5])


def planted(counts, seed, between=BETWEEN, within=WITHIN):
    """Draw utterances from the model; speaker i has counts[i] of them."""
    random = np.random.default_rng(seed)
    owner = np.repeat(np.arange(len(counts)), counts)
    places = random.multivariate_normal(MEAN, between, len(counts))
    values = places[owner] + random.multivariate_normal(np.zeros(3), within, len(owner))
    ids = tuple(f"u{place:05d}" for place in range(len(owner)))
    return Vectors(ids, values), [f"s{speaker:04d}" for speaker in owner]


def brute_force_log_likelihood(plda, vectors, speakers):
    """The density of all utterances of a speaker as one long Gaussian vector."""
    total = 0.0
    for speaker in sorted(set(speakers)):
        own = vectors.values[np.array(speakers) == speaker]
        count = len(own)
        covariance = np.kron(np.ones((count, count)), plda.between)
        covariance += np.kron(np.eye(count), plda.within)
        mean = np.tile(plda.mean, count)
        total += multivariate_normal(mean, covariance).logpdf(own.ravel())
    return total


def test_log_likelihood_is_that_of_one_long_gaussian():
    vectors, speakers = planted([1, 3, 2, 4], seed=1)
    plda = Plda(MEAN, BETWEEN, WITHIN)
    found = log_likelihood(plda, speaker_statistics(vectors, speakers))
    assert found == pytest.approx(brute_force_log_likelihood(plda, vectors, speakers), rel=1e-10)


@pytest.mark.parametrize("counts", [[4] * 20, [1, 2, 3, 5, 9, 2], [2, 2]], ids=str)
def test_the_likelihood_never_falls(counts):
    vectors, speakers = planted(counts, seed=2)
    statistics = speaker_statistics(vectors, speakers)
    steps = [
        log_likelihood(fit_plda(vectors, speakers, step, FLOOR), statistics) for step in range(12)
    ]
    assert (np.diff(steps) >= -1e-8 * abs(steps[0])).all()
    assert steps[-1] > steps[0]


def test_recovers_planted_covariances():
    vectors, speakers = planted([5] * 3000, seed=3)
    plda = fit_plda(vectors, speakers, 10, FLOOR)
    np.testing.assert_allclose(plda.mean, MEAN, atol=0.15)
    np.testing.assert_allclose(plda.between, BETWEEN, atol=0.3)
    np.testing.assert_allclose(plda.within, WITHIN, atol=0.05)


def one_each(vectors):
    return np.ones(len(vectors.values), int)


def test_means_of_several_utterances_score_as_the_utterances_themselves():
    """By the book: all enrolled vectors and the test vector, of one place or of two."""
    plda = Plda(MEAN, BETWEEN, WITHIN)
    enrolled, _ = planted([3, 3, 3, 3], seed=14)
    single, _ = planted([1] * 5, seed=15)
    counts = np.array([3, 3, 1, 3])
    groups = [enrolled.values[3 * place : 3 * place + count] for place, count in enumerate(counts)]

    def log_density(rows):
        count = len(rows)
        covariance = np.kron(np.ones((count, count)), BETWEEN) + np.kron(np.eye(count), WITHIN)
        return multivariate_normal(np.tile(MEAN, count), covariance).logpdf(rows.ravel())

    expected = [
        [
            log_density(np.vstack([group, b[None]])) - log_density(group) - log_density(b[None])
            for b in single.values
        ]
        for group in groups
    ]
    left = Vectors(("a", "b", "c", "d"), np.array([group.mean(axis=0) for group in groups]))
    np.testing.assert_allclose(likelihood_ratios(plda, left, single, counts), expected, rtol=1e-8)


def test_ratios_equal_those_of_gaussian_densities():
    plda = Plda(MEAN, BETWEEN, WITHIN)
    left, _ = planted([1] * 4, seed=4)
    right, _ = planted([1] * 3, seed=5)
    total = BETWEEN + WITHIN
    alone = multivariate_normal(MEAN, total)
    both = multivariate_normal(np.tile(MEAN, 2), np.block([[total, BETWEEN], [BETWEEN, total]]))
    expected = [
        [both.logpdf(np.append(a, b)) - alone.logpdf(a) - alone.logpdf(b) for b in right.values]
        for a in left.values
    ]
    np.testing.assert_allclose(
        likelihood_ratios(plda, left, right, one_each(left)), expected, rtol=1e-9
    )


def test_ratios_are_symmetric():
    vectors, speakers = planted([3] * 6, seed=6)
    fitted = fit_plda(vectors, speakers, 10, FLOOR)
    ratios = likelihood_ratios(fitted, vectors, vectors, one_each(vectors))
    np.testing.assert_allclose(ratios, ratios.T, atol=1e-9)


def test_ratios_are_calibrated_where_the_model_is_true():
    """Of pairs with ratio l, the same-speaker ones are e^l times as many: E[e^-l | same] = 1."""
    plda = Plda(MEAN, BETWEEN / 4, WITHIN)
    vectors, speakers = planted([2] * 4000, seed=7, between=BETWEEN / 4)
    first = Vectors(vectors.utterance_ids[::2], vectors.values[::2])
    second = Vectors(vectors.utterance_ids[1::2], vectors.values[1::2])
    same = np.concatenate(
        [
            np.diag(likelihood_ratios(plda, first.take(part), second.take(part), np.ones(500)))
            for part in (slice(start, start + 500) for start in range(0, 4000, 500))
        ]
    )
    assert np.exp(-same).mean() == pytest.approx(1, abs=0.1)
    assert len(speakers) == 8000


def test_beats_cosine_where_one_direction_is_noise():
    within = np.diag([1.0, 400.0, 0.5])
    train, train_speakers = planted([6] * 40, seed=8, within=within)
    test, test_speakers = planted([5] * 10, seed=9, within=within)
    trials = pairs_of(test.utterance_ids, test_speakers)
    plda = fit_plda(train, train_speakers, 10, FLOOR)
    scores = likelihood_ratios(plda, test, test, one_each(test))[trials.enrol, trials.test]
    by_cosine = eer(cosine_scores(test, trials), trials.is_target)
    assert eer(scores, trials.is_target) < by_cosine - 0.1


def test_utterances_that_do_not_differ_leave_a_model_that_scores():
    """Perfect codes: no spread within a speaker; the floor keeps the densities finite."""
    random = np.random.default_rng(10)
    owner = np.repeat(np.arange(5), 3)
    values = random.normal(size=(5, 2))[owner]
    vectors = Vectors(tuple(f"u{place:02d}" for place in range(15)), values)
    speakers = [f"s{one}" for one in owner]
    fitted = fit_plda(vectors, speakers, 10, FLOOR)
    ratios = likelihood_ratios(fitted, vectors, vectors, one_each(vectors))
    trials = pairs_of(vectors.utterance_ids, speakers)
    assert np.isfinite(ratios).all()
    assert eer(ratios[trials.enrol, trials.test], trials.is_target) == 0.0
