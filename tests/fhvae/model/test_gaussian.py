"""Gaussians against torch.distributions."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from fhvae.model.gaussian import DiagonalGaussian, centered


@pytest.fixture
def gaussian() -> DiagonalGaussian:
    draw = torch.Generator().manual_seed(3)
    return DiagonalGaussian(
        torch.randn(5, 3, generator=draw, dtype=torch.float64),
        torch.randn(5, 3, generator=draw, dtype=torch.float64),
    )


def reference(gaussian: DiagonalGaussian) -> Normal:
    return Normal(gaussian.mean, torch.exp(0.5 * gaussian.log_variance))


def test_log_density_agrees_with_torch_distributions(gaussian):
    value = torch.linspace(-2, 2, 15, dtype=torch.float64).view(5, 3)
    torch.testing.assert_close(gaussian.log_density(value), reference(gaussian).log_prob(value))


def test_kl_agrees_with_torch_distributions(gaussian):
    other = DiagonalGaussian(gaussian.mean.flip(0) + 0.3, gaussian.log_variance.flip(1) - 0.2)
    expected = kl_divergence(reference(gaussian), reference(other))
    torch.testing.assert_close(gaussian.kl_to(other), expected)


def test_kl_to_a_broadcast_prior_agrees(gaussian):
    prior = DiagonalGaussian(gaussian.mean + 1.0, centered(0.5, gaussian.mean).log_variance)
    expected = kl_divergence(reference(gaussian), Normal(gaussian.mean + 1.0, 0.5))
    torch.testing.assert_close(gaussian.kl_to(prior), expected)


def test_kl_to_itself_is_zero(gaussian):
    torch.testing.assert_close(gaussian.kl_to(gaussian), torch.zeros(5, 3, dtype=torch.float64))


def test_samples_have_the_mean_and_the_spread_asked_for():
    gaussian = DiagonalGaussian(torch.full((200_000, 2), 1.5), torch.full((200_000, 2), -1.0))
    drawn = gaussian.sample(torch.Generator().manual_seed(0))
    assert drawn.mean().item() == pytest.approx(1.5, abs=0.01)
    assert drawn.std().item() == pytest.approx(math.exp(-0.5), abs=0.01)


def test_samples_carry_gradients_to_both_parameters():
    mean, log_variance = (
        torch.zeros(4, 3, requires_grad=True),
        torch.zeros(4, 3, requires_grad=True),
    )
    DiagonalGaussian(mean, log_variance).sample(torch.Generator().manual_seed(0)).sum().backward()
    assert mean.grad is not None
    assert torch.equal(mean.grad, torch.ones(4, 3))
    assert log_variance.grad is not None
    assert log_variance.grad.abs().min() > 0


def test_equal_generators_give_equal_samples(gaussian):
    first = gaussian.sample(torch.Generator().manual_seed(1))
    assert torch.equal(first, gaussian.sample(torch.Generator().manual_seed(1)))
    assert not torch.equal(first, gaussian.sample(torch.Generator().manual_seed(2)))
