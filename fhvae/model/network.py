"""The networks: two encoders and a decoder of LSTMs. Read from top to bottom.

Sequences of frames are time-major, `[frame, segment, feature]`. Sizes and initial values
follow the authors' code (paper-map: architecture, lstm-initialization): one recurrent call
per network, the last hidden state of every layer read by the encoders, the same latent
vector fed to the decoder at every frame, no nonlinearity on any mean or log-variance.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fhvae.model.gaussian import DiagonalGaussian
from fhvae.params import ModelParams
from fhvae.seeds import stream_seed


class Recurrent(nn.LSTM):
    """An LSTM that starts like the authors': Glorot over the joint kernel, forget bias 1.

    Each gate has one bias in the original; PyTorch adds two, so the second is frozen at 0.
    """

    def reset_parameters(self) -> None:
        """Draw initial weights from PyTorch's global generator."""
        for layer in range(self.num_layers):
            from_input = getattr(self, f"weight_ih_l{layer}")
            from_hidden = getattr(self, f"weight_hh_l{layer}")
            bias = getattr(self, f"bias_ih_l{layer}")
            fan_in = from_input.shape[1] + from_hidden.shape[1]
            limit = math.sqrt(6 / (fan_in + 4 * self.hidden_size))
            nn.init.uniform_(from_input, -limit, limit)
            nn.init.uniform_(from_hidden, -limit, limit)
            nn.init.zeros_(bias)
            with torch.no_grad():  # gates are ordered input, forget, cell, output
                bias[self.hidden_size : 2 * self.hidden_size] = 1.0
            nn.init.zeros_(getattr(self, f"bias_hh_l{layer}")).requires_grad_(False)


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


class Encoder(nn.Module):
    """Summarize a segment by the last hidden state of every LSTM layer."""

    def __init__(self, inputs: int, dimension: int, params: ModelParams) -> None:
        super().__init__()
        self.lstm = Recurrent(inputs, params.cells, params.layers)
        self.head = GaussianHead(params.layers * params.cells, dimension)

    def forward(self, features: Float[Tensor, "frame segment feature"]) -> DiagonalGaussian:
        """Infer a latent, `[segment, dimension]`."""
        _, (last_hidden, _) = self.lstm(features)  # [layer, segment, cell]
        latent: DiagonalGaussian = self.head(last_hidden.transpose(0, 1).flatten(start_dim=1))
        return latent


class Decoder(nn.Module):
    """Generate the frames of a segment from one vector, repeated at every frame."""

    def __init__(self, inputs: int, mels: int, params: ModelParams) -> None:
        super().__init__()
        self.lstm = Recurrent(inputs, params.cells, params.layers)
        self.head = GaussianHead(params.cells, mels)

    def forward(self, latent: Float[Tensor, "segment latent"], frames: int) -> DiagonalGaussian:
        """Generate `[frame, segment, mel]`."""
        hidden, _ = self.lstm(latent.expand(frames, -1, -1))
        frames_given_latent: DiagonalGaussian = self.head(hidden)
        return frames_given_latent


class FHVAE(nn.Module):
    """z1 holds what is said in a segment, z2 who says it and where.

    It does not know how many sequences it was trained on: the table of mu2 belongs to
    training.
    """

    def __init__(self, mels: int, params: ModelParams) -> None:
        super().__init__()
        self.mels = mels
        self.params = params
        self.z2_encoder = Encoder(mels, params.z2, params)
        self.z1_encoder = Encoder(mels + params.z2, params.z1, params)
        self.decoder = Decoder(params.z1 + params.z2, mels, params)

    def encode_z2(self, segments: Float[Tensor, "frame segment mel"]) -> DiagonalGaussian:
        """Infer q(z2 | x), `[segment, z2]`."""
        posterior: DiagonalGaussian = self.z2_encoder(segments)
        return posterior

    def encode_z1(
        self, segments: Float[Tensor, "frame segment mel"], z2: Float[Tensor, "segment z2"]
    ) -> DiagonalGaussian:
        """Infer q(z1 | x, z2), `[segment, z1]`; z2 stands beside every frame."""
        beside = torch.cat([segments, z2.expand(len(segments), -1, -1)], dim=-1)
        posterior: DiagonalGaussian = self.z1_encoder(beside)
        return posterior

    def decode(
        self, z1: Float[Tensor, "segment z1"], z2: Float[Tensor, "segment z2"], frames: int
    ) -> DiagonalGaussian:
        """Generate p(x | z1, z2), `[frame, segment, mel]`."""
        x: DiagonalGaussian = self.decoder(torch.cat([z1, z2], dim=-1), frames)
        return x


def new_network(mels: int, params: ModelParams, seed: int) -> FHVAE:
    """Draw the networks that a run with this seed starts from.

    It sets PyTorch's global generator, which whoever draws next goes on with.
    """
    torch.manual_seed(stream_seed(seed, "weights"))
    return FHVAE(mels, params)
