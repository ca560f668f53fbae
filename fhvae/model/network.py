"""The networks: two encoders and a decoder. Read from top to bottom.

Sequences of frames are time-major, `[frame, segment, feature]`. Sizes and initial values
follow the authors' code (paper-map: architecture, initialization). No mean and no log-variance
has a nonlinearity. `model.cell` chooses between two kinds:

recurrent   one call per network, the last state of every layer read by the encoders, the
            same latent vector fed to the decoder at every frame
dense       fully connected layers that see all frames of a segment side by side
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fhvae.model.gaussian import DiagonalGaussian
from fhvae.model.recurrent import RECURRENT_LAYERS, run_layers
from fhvae.params.model import ModelParams
from fhvae.seeds import stream_seed


class GaussianHead(nn.Linear):
    """Two linear maps, to a mean and to a log-variance, in one product."""

    def __init__(self, inputs: int, dimension: int) -> None:
        super().__init__(inputs, 2 * dimension)
        self.dimension = dimension
        limit = math.sqrt(6 / (inputs + dimension))  # Glorot of each map by itself
        nn.init.uniform_(self.weight, -limit, limit)
        nn.init.zeros_(self.bias)

    def forward(self, features: Float[Tensor, "... feature"]) -> DiagonalGaussian:  # type: ignore[override]
        """Map features to a Gaussian, `[..., dimension]`."""
        mean, log_variance = torch.split(super().forward(features), self.dimension, dim=-1)
        return DiagonalGaussian(mean, log_variance)


class RecurrentEncoder(nn.Module):
    """Summarize a segment by the last state of every recurrent layer.

    The layers bear the name of their cell (`lstm`, `gru`, `rnn`), in the weights too.
    """

    def __init__(self, inputs: int, dimension: int, params: ModelParams) -> None:
        super().__init__()
        self.cell = params.cell
        layers = RECURRENT_LAYERS[params.cell](inputs, params.cells, params.layers)
        self.add_module(params.cell, layers)
        self.head = GaussianHead(params.layers * params.cells, dimension)

    def forward(
        self,
        segments: Float[Tensor, "frame segment mel"],
        beside: Float[Tensor, "segment latent"] | None = None,
    ) -> DiagonalGaussian:
        """Infer a latent, `[segment, dimension]`; `beside` is seen with every frame."""
        if beside is not None:
            segments = torch.cat([segments, beside.expand(len(segments), -1, -1)], dim=-1)
        _, last = run_layers(getattr(self, self.cell), segments)
        latent: DiagonalGaussian = self.head(last.transpose(0, 1).flatten(start_dim=1))
        return latent


class RecurrentDecoder(nn.Module):
    """Generate the frames of a segment from one vector, repeated at every frame."""

    def __init__(self, inputs: int, mels: int, params: ModelParams) -> None:
        super().__init__()
        self.cell = params.cell
        layers = RECURRENT_LAYERS[params.cell](inputs, params.cells, params.layers)
        self.add_module(params.cell, layers)
        self.head = GaussianHead(params.cells, mels)

    def forward(self, latent: Float[Tensor, "segment latent"], frames: int) -> DiagonalGaussian:
        """Generate `[frame, segment, mel]`, of any length."""
        outputs, _ = run_layers(getattr(self, self.cell), latent.expand(frames, -1, -1))
        frames_given_latent: DiagonalGaussian = self.head(outputs)
        return frames_given_latent


class DenseLayer(nn.Linear):
    """Fully connected rectified units: Glorot weights, biases 0."""

    def reset_parameters(self) -> None:
        """Draw initial weights from PyTorch's global generator."""
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, inputs: Float[Tensor, "segment input"]) -> Float[Tensor, "segment unit"]:
        """Map inputs to activations."""
        return torch.relu(super().forward(inputs))


def dense_layers(inputs: int, params: ModelParams) -> nn.Sequential:
    """Stack `layers` layers of `cells` units."""
    sizes = [inputs, *[params.cells] * params.layers]
    return nn.Sequential(*map(DenseLayer, sizes[:-1], sizes[1:]))


class DenseEncoder(nn.Module):
    """Summarize a segment of fixed length, its frames side by side."""

    def __init__(
        self, frames: int, mels: int, beside: int, dimension: int, params: ModelParams
    ) -> None:
        super().__init__()
        self.frames = frames
        self.dense = dense_layers(frames * mels + beside, params)
        self.head = GaussianHead(params.cells, dimension)

    def forward(
        self,
        segments: Float[Tensor, "frame segment mel"],
        beside: Float[Tensor, "segment latent"] | None = None,
    ) -> DiagonalGaussian:
        """Infer a latent, `[segment, dimension]`; `beside` is seen once, after the frames."""
        if len(segments) != self.frames:
            raise ValueError(
                f"dense networks read segments of {self.frames} frames, got {len(segments)}"
            )
        inputs = segments.transpose(0, 1).flatten(start_dim=1)  # [segment, frame x mel]
        if beside is not None:
            inputs = torch.cat([inputs, beside], dim=-1)
        latent: DiagonalGaussian = self.head(self.dense(inputs))
        return latent


class DenseDecoder(nn.Module):
    """Generate all frames of a segment of fixed length at once."""

    def __init__(self, inputs: int, frames: int, mels: int, params: ModelParams) -> None:
        super().__init__()
        self.frames, self.mels = frames, mels
        self.dense = dense_layers(inputs, params)
        self.head = GaussianHead(params.cells, frames * mels)

    def forward(self, latent: Float[Tensor, "segment latent"], frames: int) -> DiagonalGaussian:
        """Generate `[frame, segment, mel]`."""
        if frames != self.frames:
            raise ValueError(
                f"dense networks generate segments of {self.frames} frames, asked for {frames}"
            )
        flat = self.head(self.dense(latent))  # [segment, frame x mel]
        shape = (self.frames, self.mels)
        return DiagonalGaussian(
            mean=flat.mean.unflatten(1, shape).transpose(0, 1),
            log_variance=flat.log_variance.unflatten(1, shape).transpose(0, 1),
        )


class FHVAE(nn.Module):
    """z1 holds what is said in a segment, z2 who says it and where.

    It does not know how many sequences it was trained on: the table of mu2 belongs to
    training.

    Args:
        mels: mel bands of a frame.
        segment_frames: frames of a training segment; dense networks take no other length,
            recurrent ones take any.
        params: kind and sizes of the networks.
    """

    def __init__(self, mels: int, segment_frames: int, params: ModelParams) -> None:
        super().__init__()
        self.mels = mels
        self.segment_frames = segment_frames
        self.params = params
        z1, z2 = params.z1, params.z2
        self.z2_encoder: RecurrentEncoder | DenseEncoder
        self.z1_encoder: RecurrentEncoder | DenseEncoder
        self.decoder: RecurrentDecoder | DenseDecoder
        if params.cell == "dense":
            self.z2_encoder = DenseEncoder(segment_frames, mels, 0, z2, params)
            self.z1_encoder = DenseEncoder(segment_frames, mels, z2, z1, params)
            self.decoder = DenseDecoder(z1 + z2, segment_frames, mels, params)
        else:
            self.z2_encoder = RecurrentEncoder(mels, z2, params)
            self.z1_encoder = RecurrentEncoder(mels + z2, z1, params)
            self.decoder = RecurrentDecoder(z1 + z2, mels, params)

    def encode_z2(self, segments: Float[Tensor, "frame segment mel"]) -> DiagonalGaussian:
        """Infer q(z2 | x), `[segment, z2]`."""
        posterior: DiagonalGaussian = self.z2_encoder(segments)
        return posterior

    def encode_z1(
        self, segments: Float[Tensor, "frame segment mel"], z2: Float[Tensor, "segment z2"]
    ) -> DiagonalGaussian:
        """Infer q(z1 | x, z2), `[segment, z1]`."""
        posterior: DiagonalGaussian = self.z1_encoder(segments, z2)
        return posterior

    def decode(
        self, z1: Float[Tensor, "segment z1"], z2: Float[Tensor, "segment z2"], frames: int
    ) -> DiagonalGaussian:
        """Generate p(x | z1, z2), `[frame, segment, mel]`."""
        x: DiagonalGaussian = self.decoder(torch.cat([z1, z2], dim=-1), frames)
        return x


def new_network(mels: int, segment_frames: int, params: ModelParams, seed: int) -> FHVAE:
    """Draw the networks that a run with this seed starts from.

    It sets PyTorch's global generator, so that later draws from it depend on this one.
    """
    torch.manual_seed(stream_seed(seed, "weights"))
    return FHVAE(mels, segment_frames, params)
