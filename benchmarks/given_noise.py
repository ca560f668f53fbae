"""Networks that sample latents with given noise, so that two devices or programs draw alike."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fhvae.model.gaussian import DiagonalGaussian
from fhvae.model.objective import Networks


@dataclass(frozen=True)
class GivenNoise(DiagonalGaussian):
    """A Gaussian whose sample is mean + standard deviation * epsilon.

    Attributes:
        epsilon: `[..., dimension]`, what a generator would have drawn.
    """

    epsilon: Tensor

    def sample(self, noise: torch.Generator) -> Tensor:
        """Draw nothing; the generator is left alone."""
        return self.mean + torch.exp(0.5 * self.log_variance) * self.epsilon


class GivenNoiseNetworks:
    """Networks, with the noise of one batch.

    Args:
        networks: what is evaluated.
        epsilon2, epsilon1: `[segment, dimension]`, of z2 and of z1.
    """

    def __init__(self, networks: Networks, epsilon2: Tensor, epsilon1: Tensor) -> None:
        self.params, self._networks = networks.params, networks
        self._epsilon2, self._epsilon1 = epsilon2, epsilon1

    def encode_z2(self, segments: Tensor) -> DiagonalGaussian:
        """See `FHVAE.encode_z2`."""
        found = self._networks.encode_z2(segments)
        return GivenNoise(found.mean, found.log_variance, self._epsilon2)

    def encode_z1(self, segments: Tensor, z2: Tensor) -> DiagonalGaussian:
        """See `FHVAE.encode_z1`."""
        found = self._networks.encode_z1(segments, z2)
        return GivenNoise(found.mean, found.log_variance, self._epsilon1)

    def decode(self, z1: Tensor, z2: Tensor, frames: int) -> DiagonalGaussian:
        """See `FHVAE.decode`."""
        return self._networks.decode(z1, z2, frames)
