"""Encoder and decoder as ONNX files, for programs without PyTorch.

encoder.onnx   segments -> z1, z2: means and log-variances
decoder.onnx   z1, z2 -> mean and log-variance of the frames

Frames are normalized: `(log_mel - mean) / std` with the numbers of config.json of
the model's folder. The number of segments is free.
"""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fhvae.errors import ArtifactError
from fhvae.files.atomic import new_file
from fhvae.model.network import FHVAE
from fhvae.model.objective import posteriors
from fhvae.model.weights import TrainedModel

OPSET = 17  # of ONNX: what PyTorch's exporter writes, read by every runtime since 2022
ENCODER, DECODER = "encoder.onnx", "decoder.onnx"


class Encoder(nn.Module):
    """Segments `[segment, frame, mel]` to means and log-variances of z1 and z2."""

    def __init__(self, network: FHVAE) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, segments: Float[Tensor, "segment frame mel"]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Infer z1 given the mean of z2, and z2."""
        found = posteriors(self.network, segments.transpose(0, 1))
        return found.z1.mean, found.z1.log_variance, found.z2.mean, found.z2.log_variance


class Decoder(nn.Module):
    """z1 and z2 to the mean and log-variance of frames, `[segment, frame, mel]`."""

    def __init__(self, network: FHVAE, frames: int) -> None:
        super().__init__()
        self.network, self.frames = network, frames

    def forward(
        self, z1: Float[Tensor, "segment z1"], z2: Float[Tensor, "segment z2"]
    ) -> tuple[Tensor, Tensor]:
        """Generate the frames of every segment."""
        found = self.network.decode(z1, z2, self.frames)
        return found.mean.transpose(0, 1), found.log_variance.transpose(0, 1)


def export_onnx(trained: TrainedModel, folder: Path) -> None:
    """Write encoder.onnx and decoder.onnx.

    Args:
        trained: the model, on the CPU.
        folder: made if needed.

    Raises:
        ArtifactError: the package onnx is not installed.
    """
    sizes, length = trained.network.params, trained.segments.frames
    segments = torch.zeros(2, length, trained.network.mels)
    latents = torch.zeros(2, sizes.z1), torch.zeros(2, sizes.z2)
    names = ["z1_mean", "z1_log_variance", "z2_mean", "z2_log_variance"]
    _export(Encoder(trained.network), (segments,), folder / ENCODER, ["segments"], names)
    decoder = Decoder(trained.network, length)
    _export(decoder, latents, folder / DECODER, ["z1", "z2"], ["mean", "log_variance"])


def _export(
    module: nn.Module, given: tuple[Tensor, ...], path: Path, inputs: list[str], outputs: list[str]
) -> None:
    try:
        import onnx  # noqa: F401
    except ModuleNotFoundError as error:
        raise ArtifactError(
            "the package onnx must be installed for the export, it is not; "
            "install the extra: pip install 'fhvae[onnx]'"
        ) from error
    with new_file(path) as partial:
        torch.onnx.export(
            module.eval(),
            given,
            str(partial),
            input_names=inputs,
            output_names=outputs,
            dynamic_axes={name: {0: "segment"} for name in [*inputs, *outputs]},
            opset_version=OPSET,
            dynamo=False,
        )
