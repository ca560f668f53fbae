"""Gaussians with diagonal covariance: the only distribution of the model."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

LOG_2PI = math.log(2 * math.pi)  # of the normal density
ACTIVE_VARIANCE = 0.01  # of the posterior means: an active unit of Burda et al. 2016 has more


@dataclass(frozen=True)
class DiagonalGaussian:
    """A Gaussian per element; the last axis is the dimension.

    Attributes:
        mean, log_variance: `[..., dimension]`, broadcast against each other.
    """

    mean: Float[Tensor, "..."]
    log_variance: Float[Tensor, "..."]

    def sample(self, noise: torch.Generator) -> Float[Tensor, "..."]:
        """Draw one value, reparameterized: mean + exp(log_variance / 2) * epsilon."""
        epsilon = torch.randn(
            self.mean.shape, generator=noise, device=self.mean.device, dtype=self.mean.dtype
        )
        return self.mean + torch.exp(0.5 * self.log_variance) * epsilon

    def log_density(self, value: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Log density of `value` in nats, per element."""
        scaled = (value - self.mean).square() * torch.exp(-self.log_variance)
        return -0.5 * (LOG_2PI + self.log_variance + scaled)

    def kl_to(self, other: "DiagonalGaussian") -> Float[Tensor, "..."]:
        """KL(self || other) in nats, per element."""
        log_ratio = self.log_variance - other.log_variance
        scaled = (self.mean - other.mean).square() * torch.exp(-other.log_variance)
        return -0.5 * (1 + log_ratio - scaled - torch.exp(log_ratio))


def centered(std: float, like: Float[Tensor, "..."]) -> DiagonalGaussian:
    """Make N(0, std^2) on the device and in the type of `like`, broadcast to any shape."""
    return DiagonalGaussian(
        mean=like.new_zeros(()), log_variance=like.new_full((), 2 * math.log(std))
    )
