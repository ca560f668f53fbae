"""Arithmetic of a GPU: float32 as on the CPU, TF32, or bfloat16 inside the networks.

The choice is `training.precision`; what each costs in the loss is in docs/scaling.md. Samples,
likelihoods, KLs and logits are float32 in all of them.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor

from fhvae.errors import ParamsError
from fhvae.model.gaussian import DiagonalGaussian
from fhvae.model.network import FHVAE


def set_precision(precision: Literal["float32", "tf32", "bf16"], device: torch.device) -> None:
    """Say how matrix products and LSTMs of this process compute; PyTorch's own default differs.

    Raises:
        ParamsError: the CPU has float32 only.
    """
    if device.type != "cuda":
        if precision != "float32":
            raise ParamsError(
                f"training.precision must be float32 on a CPU, got {precision}; "
                "run on a machine with CUDA, or set it to float32"
            )
        return
    torch.backends.cuda.matmul.allow_tf32 = precision != "float32"
    torch.backends.cudnn.allow_tf32 = precision != "float32"
    if precision == "bf16":  # weights are rounded, thus copied, at every step: that is meant
        warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous")


@contextmanager
def float32_products() -> Iterator[None]:
    """Keep the matrix products of a forward pass in float32, whatever the networks do."""
    allowed = torch.backends.cuda.matmul.allow_tf32
    if allowed:
        torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        if allowed:
            torch.backends.cuda.matmul.allow_tf32 = True


class Bfloat16Networks:
    """The networks, evaluated in bfloat16; what comes out is float32."""

    def __init__(self, network: FHVAE) -> None:
        self.network, self.params = network, network.params
        self._device = next(network.parameters()).device.type

    def encode_z2(self, segments: Tensor) -> DiagonalGaussian:
        """See `FHVAE.encode_z2`."""
        with torch.autocast(self._device, torch.bfloat16):
            return _float32(self.network.encode_z2(segments))

    def encode_z1(self, segments: Tensor, z2: Tensor) -> DiagonalGaussian:
        """See `FHVAE.encode_z1`."""
        with torch.autocast(self._device, torch.bfloat16):
            return _float32(self.network.encode_z1(segments, z2))

    def decode(self, z1: Tensor, z2: Tensor, frames: int) -> DiagonalGaussian:
        """See `FHVAE.decode`."""
        with torch.autocast(self._device, torch.bfloat16):
            return _float32(self.network.decode(z1, z2, frames))


def _float32(gaussian: DiagonalGaussian) -> DiagonalGaussian:
    return DiagonalGaussian(gaussian.mean.float(), gaussian.log_variance.float())
