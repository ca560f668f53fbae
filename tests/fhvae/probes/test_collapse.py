"""Use of the latents: KL against torch, dead dimensions, moments of all posteriors together."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from fhvae.params.model import ModelParams
from fhvae.probes.collapse import aggregate_kl, kl_per_dimension, measure_usage, usage_table
from tests.latent_factory import make_latents, make_utterances

MODEL = ModelParams(cell="lstm", layers=1, cells=5, z1=3, z2=4, z1_std=1.5, z2_std=0.5, mu2_std=2.0)


def test_kl_is_that_of_torch():
    random = np.random.default_rng(1)
    mean, logs, prior = (random.normal(size=(7, 3)) for _ in range(3))
    ours = kl_per_dimension(mean, logs, prior, 0.7)
    pair = (
        Normal(torch.tensor(mean), torch.tensor(np.exp(logs / 2))),
        Normal(torch.tensor(prior), torch.tensor(0.7)),
    )
    np.testing.assert_allclose(ours, kl_divergence(*pair).mean(dim=0).numpy())


def test_posteriors_equal_to_the_prior_have_no_kl():
    assert kl_per_dimension(np.zeros((5, 2)), np.log(np.full((5, 2), 4.0)), 0.0, 2.0).tolist() == [
        0,
        0,
    ]
    assert aggregate_kl(np.zeros((5, 2)), np.full((5, 2), 4.0), 2.0) == pytest.approx(0, abs=1e-12)


def test_the_mixture_is_compared_by_its_moments():
    """Means at +-1 with variance 3 make a mixture of variance 4."""
    mean = np.array([[1.0, 0], [-1, 0]])
    variance = np.array([[3.0, 4], [3, 4]])
    assert aggregate_kl(mean, variance, 2.0) == pytest.approx(0, abs=1e-12)
    random = np.random.default_rng(2)
    mean, variance = random.normal(size=(50, 3)), random.uniform(0.5, 2, size=(50, 3))
    covariance = np.cov(mean.T, bias=True) + np.diag(variance.mean(axis=0))
    ours = MultivariateNormal(torch.tensor(mean.mean(axis=0)), torch.tensor(covariance))
    prior = Independent(Normal(torch.zeros(3).double(), torch.full((3,), 0.7).double()), 1)
    prior = MultivariateNormal(prior.mean, 0.49 * torch.eye(3).double())
    assert aggregate_kl(mean, variance, 0.7) == pytest.approx(float(kl_divergence(ours, prior)))


def test_a_dead_dimension_is_counted_and_has_no_kl():
    latents = make_latents(make_utterances("test", 3, 2))
    mean, logs = latents.z1_mean.copy(), latents.z1_log_variance.copy()
    mean[:, 1], logs[:, 1] = 0, np.log(MODEL.z1_std**2)
    usage = measure_usage(replace(latents, z1_mean=mean, z1_log_variance=logs), MODEL)
    assert usage["z1"].active == 2
    assert usage["z1"].kl[1] == pytest.approx(0, abs=1e-6)
    assert usage["z1"].kl[[0, 2]].min() > 0.1
    assert usage["z1"].metrics()["dimensions"] == 3
    assert usage["z2"].active == usage["mu2"].active == 4


def test_z2_is_measured_about_the_mu2_of_its_utterance():
    latents = make_latents(make_utterances("test", 3, 2), noise=0.1)
    near = measure_usage(latents, MODEL)["z2"]
    away = replace(latents, mu2=latents.mu2 + np.float32(1))
    far = measure_usage(away, MODEL)["z2"]
    # means 1 away from the prior's: 1 / (2 * 0.5^2) nats more in each dimension, beside the
    # noise about mu2, whose mean is 0 in each utterance
    np.testing.assert_allclose(far.kl - near.kl, 2, atol=1e-4)
    np.testing.assert_array_equal(far.variance, near.variance)


def test_mu2_is_surer_the_more_segments_it_rests_on():
    """Its posterior over n values of z2: precision n / z2_std^2 + 1 / mu2_std^2."""
    latents = make_latents(make_utterances("test", 3, 2), segments=6)
    std = (6 / MODEL.z2_std**2 + 1 / MODEL.mu2_std**2) ** -0.5
    mean = torch.tensor(latents.mu2.astype(float))
    expected = kl_divergence(Normal(mean, std), Normal(0.0, MODEL.mu2_std)).mean(dim=0)
    np.testing.assert_allclose(measure_usage(latents, MODEL)["mu2"].kl, expected.numpy())


def test_the_table_has_a_line_per_dimension():
    usage = measure_usage(make_latents(make_utterances("test", 2, 2)), MODEL)
    table = usage_table(usage)
    assert table["latent"].tolist() == ["z1"] * 3 + ["z2"] * 4 + ["mu2"] * 4
    assert table["dimension"].tolist() == [0, 1, 2, 0, 1, 2, 3, 0, 1, 2, 3]
    assert table["kl"].tolist()[:3] == pytest.approx(usage["z1"].kl.tolist(), abs=1e-6)
