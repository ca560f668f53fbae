"""The mixture and the statistics of an utterance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from fhvae.baselines.ivector.ubm import (
    MIN_VARIANCE_SHARE,
    Ubm,
    affordable_gaussians,
    baum_welch,
    fit_ubm,
    responsibilities,
)

GAUSSIANS, FEATURES = 3, 4


@pytest.fixture
def ubm():
    random = np.random.default_rng(0)
    return Ubm(
        np.array([0.5, 0.3, 0.2]),
        random.normal(size=(GAUSSIANS, FEATURES)),
        random.uniform(0.5, 2, size=(GAUSSIANS, FEATURES)),
    )


def test_statistics_equal_a_loop_over_frames_and_gaussians(ubm):
    frames = np.random.default_rng(1).normal(size=(7, FEATURES)).astype(np.float32)
    counts, sums = np.zeros(GAUSSIANS), np.zeros((GAUSSIANS, FEATURES))
    for frame in frames.astype(np.float64):
        joint = [
            ubm.weights[place]
            * norm.pdf(frame, ubm.means[place], np.sqrt(ubm.variances[place])).prod()
            for place in range(GAUSSIANS)
        ]
        for place, density in enumerate(joint):
            share = density / sum(joint)
            counts[place] += share
            sums[place] += share * frame
    found = baum_welch(ubm, frames)
    np.testing.assert_allclose(found.counts, counts, rtol=1e-10)
    np.testing.assert_allclose(found.sums, sums, rtol=1e-9)


@given(scale=st.floats(0, 1e4), seed=st.integers(0, 5))
def test_every_frame_is_shared_out_whole_however_far_away(scale, seed):
    random = np.random.default_rng(seed)
    mixture = Ubm(np.array([0.7, 0.3]), random.normal(size=(2, 3)), np.full((2, 3), 0.5))
    shares = responsibilities(mixture, scale * random.normal(size=(5, 3)))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares >= 0).all()


def test_a_gaussian_without_weight_answers_for_nothing(ubm):
    bare = Ubm(np.array([0.5, 0.5, 0.0]), ubm.means, ubm.variances)
    assert baum_welch(bare, np.ones((2, FEATURES))).counts[2] == 0


def test_the_mixture_finds_clusters_that_lie_apart():
    centers = np.array([[-9.0, 0.0], [0.0, 9.0], [9.0, -9.0]])
    random = np.random.default_rng(2)
    frames = np.concatenate([center + random.normal(size=(200, 2)) for center in centers])
    fitted = fit_ubm(frames, 3, 20, seed=0)
    order = np.argsort(fitted.ubm.means[:, 0])
    np.testing.assert_allclose(fitted.ubm.means[order], centers, atol=0.3)
    np.testing.assert_allclose(fitted.ubm.variances, 1, atol=0.3)
    np.testing.assert_allclose(fitted.ubm.weights, 1 / 3, atol=1e-3)
    assert fitted.converged
    assert fitted.frames == 600


def test_no_variance_is_below_its_share_of_the_whole():
    """Half of the frames are one point: its Gaussian would have no width at all."""
    random = np.random.default_rng(3)
    frames = np.concatenate([np.zeros((300, 2)), 20 * random.normal(size=(300, 2))])
    fitted = fit_ubm(frames, 2, 20, seed=0)
    floor = MIN_VARIANCE_SHARE * frames.var(axis=0)
    assert (floor > 0.5).all()
    np.testing.assert_allclose(fitted.ubm.variances.min(axis=0), floor)


def test_the_seed_decides_the_mixture():
    frames = np.random.default_rng(4).normal(size=(90, 2))
    first, again, other = (fit_ubm(frames, 3, 3, seed).ubm.means for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("frames", "each", "gaussians"),
    [(3, 500, 1), (1600, 500, 3), (1600, 100, 16), (10**6, 500, 64)],
)
def test_few_frames_afford_few_gaussians(frames, each, gaussians):
    assert affordable_gaussians(64, frames, each) == gaussians
