"""The subspace of utterances: against dense Gaussians, planted models and the laws of EM."""

import numpy as np
import pytest
from scipy.linalg import block_diag, subspace_angles
from scipy.stats import multivariate_normal

from fhvae.baselines.ivector import total_variability
from fhvae.baselines.ivector.total_variability import (
    TotalVariability,
    affordable_rank,
    expectation,
    infer,
    ivectors,
    maximization,
    minimize_divergence,
    reparametrize,
    train,
)
from fhvae.baselines.ivector.ubm import Statistics, Ubm

GAUSSIANS, FEATURES, RANK = 4, 5, 3


def make_ubm(random, gaussians=GAUSSIANS):
    return Ubm(
        np.full(gaussians, 1 / gaussians),
        random.normal(size=(gaussians, FEATURES)),
        random.uniform(0.5, 2, size=(gaussians, FEATURES)),
    )


def make_model(random, gaussians=GAUSSIANS):
    ubm = make_ubm(random, gaussians)
    matrix = random.normal(size=(gaussians, FEATURES, RANK))
    return TotalVariability(ubm.means, matrix, ubm.variances)


def draw(model, utterances, frames, random):
    """Draw statistics from the model itself, each Gaussian making `frames` frames."""
    w = random.normal(size=(utterances, model.rank))
    means = model.means + np.einsum("cfr,ur->ucf", model.matrix, w)
    noise = random.normal(size=means.shape) * np.sqrt(frames * model.variances)
    return Statistics(
        np.full((utterances, len(model.means)), float(frames)), frames * means + noise
    )


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_no_frames_leave_the_prior(random):
    model = make_model(random)
    nothing = Statistics(np.zeros((2, GAUSSIANS)), np.zeros((2, GAUSSIANS, FEATURES)))
    posterior = infer(model, nothing)
    np.testing.assert_array_equal(posterior.means, 0)
    np.testing.assert_allclose(posterior.covariances, np.tile(np.eye(RANK), (2, 1, 1)))
    np.testing.assert_array_equal(posterior.log_likelihoods, 0)


def dense(model, labels):
    """Stack the frames of one utterance into one Gaussian: mean, loading matrix, noise."""
    mean = np.concatenate([model.means[c] for c in labels])
    loading = np.concatenate([model.matrix[c] for c in labels])
    return mean, loading, block_diag(*(np.diag(model.variances[c]) for c in labels))


def statistics_of(frames, labels, gaussians):
    shares = np.eye(gaussians)[labels]
    return Statistics(shares.sum(axis=0)[None], (shares.T @ frames)[None])


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 2, 1, 2, 2]], ids=["one", "several"])
def test_posterior_is_that_of_the_dense_gaussian(random, labels):
    """Conditioning the joint Gaussian of w and all frames, frame by frame, no statistics."""
    gaussians = max(labels) + 1
    model = make_model(random, gaussians)
    frames = random.normal(size=(len(labels), FEATURES))
    mean, loading, noise = dense(model, labels)
    gain = loading.T @ np.linalg.inv(loading @ loading.T + noise)
    posterior = infer(model, statistics_of(frames, labels, gaussians))
    np.testing.assert_allclose(posterior.means[0], gain @ (frames.ravel() - mean), rtol=1e-9)
    np.testing.assert_allclose(posterior.covariances[0], np.eye(RANK) - gain @ loading, atol=1e-12)


def test_log_likelihoods_are_the_dense_densities_up_to_what_no_model_enters(random):
    """Two models of other m and T: the difference of their densities is that of the exact ones."""
    labels = [0, 1, 1, 0, 2]
    first = make_model(random, 3)
    second = TotalVariability(
        random.normal(size=first.means.shape),
        random.normal(size=first.matrix.shape),
        first.variances,
    )
    frames = random.normal(size=(len(labels), FEATURES))
    exact, found = [], []
    for model in (first, second):
        mean, loading, noise = dense(model, labels)
        density = multivariate_normal(mean, loading @ loading.T + noise)
        exact.append(density.logpdf(frames.ravel()))
        found.append(infer(model, statistics_of(frames, labels, 3)).log_likelihoods[0])
    assert found[1] - found[0] == pytest.approx(exact[1] - exact[0], rel=1e-9)


def test_many_frames_show_w_itself(random):
    model = make_model(random)
    w = random.normal(size=(6, RANK))
    means = model.means + np.einsum("cfr,ur->ucf", model.matrix, w)
    frames = 1e7
    found = ivectors(model, Statistics(np.full((6, GAUSSIANS), frames), frames * means))
    np.testing.assert_allclose(found, w, atol=1e-5)


def test_the_likelihood_never_falls(random):
    ubm = make_ubm(random)
    statistics = Statistics(
        random.gamma(1.0, 3.0, size=(40, GAUSSIANS)),
        random.normal(scale=4, size=(40, GAUSSIANS, FEATURES)),
    )
    course = train(ubm, statistics, RANK, 12, random).log_likelihoods
    assert len(course) == 12 + 2
    assert (np.diff(course) > 0).all()


def test_the_planted_subspace_is_found(random):
    planted = make_model(random)
    statistics = draw(planted, utterances=400, frames=20, random=random)
    ubm = Ubm(np.full(GAUSSIANS, 1 / GAUSSIANS), planted.means, planted.variances)
    found = train(ubm, statistics, RANK, 15, random).model
    shape = (GAUSSIANS * FEATURES, RANK)
    angles = subspace_angles(planted.matrix.reshape(shape), found.matrix.reshape(shape))
    assert np.degrees(angles.max()) < 3
    # not only the directions: T T' is the covariance of the supervectors
    covariances = [
        model.matrix.reshape(shape) @ model.matrix.reshape(shape).T for model in (planted, found)
    ]
    distance = np.linalg.norm(covariances[0] - covariances[1]) / np.linalg.norm(covariances[0])
    assert distance < 0.15


def test_a_shift_of_all_utterances_moves_into_the_means(random):
    """The UBM's means are wrong along T: minimum divergence finds it, w has mean 0 again."""
    planted = make_model(random)
    statistics = draw(planted, utterances=300, frames=30, random=random)
    shift = planted.matrix @ np.array([2.0, -1.0, 0.5])
    ubm = Ubm(np.full(GAUSSIANS, 1 / GAUSSIANS), planted.means - shift, planted.variances)
    trained = train(ubm, statistics, RANK, 10, random)
    found = ivectors(trained.model, statistics)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(np.cov(found.T), np.eye(RANK), atol=0.1)
    np.testing.assert_allclose(trained.model.means, planted.means, atol=0.5)


def test_a_prior_moved_into_the_model_leaves_the_supervectors_as_they_were(random):
    model = make_model(random)
    mean, root = random.normal(size=RANK), random.normal(size=(RANK, RANK))
    covariance = root @ root.T + np.eye(RANK)
    moved = reparametrize(model, mean, covariance)
    shape = (GAUSSIANS * FEATURES, RANK)
    before, after = model.matrix.reshape(shape), moved.matrix.reshape(shape)
    np.testing.assert_allclose(moved.means.ravel(), model.means.ravel() + before @ mean, rtol=1e-10)
    np.testing.assert_allclose(after @ after.T, before @ covariance @ before.T, atol=1e-10)
    unmoved = reparametrize(model, np.zeros(RANK), np.eye(RANK))
    np.testing.assert_array_equal(unmoved.matrix, model.matrix)


def test_a_prior_moved_into_the_model_leaves_the_likelihood_as_it_was(random):
    """Dense: the density of the frames under w ~ N(mean, covariance) and the old m and T."""
    labels = [0, 1, 1, 3]
    model = make_model(random)
    mean, covariance = random.normal(size=RANK), np.diag([0.5, 2.0, 3.0])
    moved = reparametrize(model, mean, covariance)
    frames = random.normal(size=(len(labels), FEATURES))
    center, loading, noise = dense(model, labels)
    old = multivariate_normal(center + loading @ mean, loading @ covariance @ loading.T + noise)
    center, loading, noise = dense(moved, labels)
    new = multivariate_normal(center, loading @ loading.T + noise)
    assert new.logpdf(frames.ravel()) == pytest.approx(old.logpdf(frames.ravel()), rel=1e-10)


def test_minimum_divergence_does_nothing_to_a_model_whose_prior_fits(random):
    planted = make_model(random)
    statistics = draw(planted, utterances=5000, frames=50, random=random)
    kept = minimize_divergence(planted, expectation(planted, statistics))
    np.testing.assert_allclose(kept.means, planted.means, atol=0.1)
    shape = (GAUSSIANS * FEATURES, RANK)
    old, new = (one.matrix.reshape(shape) for one in (planted, kept))
    assert np.linalg.norm(new @ new.T - old @ old.T) < 0.06 * np.linalg.norm(old @ old.T)


def test_a_gaussian_that_no_utterance_uses_keeps_its_rows(random):
    model = make_model(random)
    statistics = draw(model, utterances=9, frames=4, random=random)
    statistics.counts[:, 2], statistics.sums[:, 2] = 0, 0
    sums = expectation(model, statistics)
    found = maximization(model, sums, statistics.counts.sum(axis=0))
    np.testing.assert_array_equal(found.matrix[2], model.matrix[2])
    assert not np.allclose(found.matrix[1], model.matrix[1])


def test_chunks_change_nothing(random, monkeypatch):
    model = make_model(random)
    statistics = draw(model, utterances=11, frames=4, random=random)
    whole = expectation(model, statistics)
    monkeypatch.setattr(total_variability, "CHUNK_UTTERANCES", 4)
    parts = expectation(model, statistics)
    for name in ("outer", "cross", "first", "second", "log_likelihood", "utterances"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-10)
    assert whole.utterances == 11


@pytest.mark.parametrize(
    ("utterances", "each", "rank"), [(2, 3, 1), (32, 3, 10), (32, 2, 16), (600, 3, 48)]
)
def test_few_utterances_afford_a_low_rank(utterances, each, rank):
    assert affordable_rank(48, utterances, each) == rank
