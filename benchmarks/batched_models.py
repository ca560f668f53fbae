"""Several FHVAEs as one: every weight, and every product, has an axis `model` in front.

For measuring only (benchmarks/gpu.py): N small LSTMs keep a GPU as busy as one large one, if
they run in the same launches. cuDNN has no such form, so the frames are a loop here, with
batched products.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from fhvae.model.gaussian import DiagonalGaussian, centred
from fhvae.model.network import FHVAE, GaussianHead


def stacked(tensors: Sequence[Tensor]) -> nn.Parameter:
    """Put the weights of all models side by side."""
    return nn.Parameter(torch.stack([tensor.detach() for tensor in tensors]))


class BatchedHead(nn.Module):
    """`GaussianHead` of every model."""

    def __init__(self, heads: Sequence[GaussianHead]) -> None:
        super().__init__()
        self.dimension = heads[0].dimension
        self.weight = stacked([head.weight.T for head in heads])
        self.bias = stacked([head.bias[None] for head in heads])

    def forward(self, features: Tensor) -> DiagonalGaussian:
        """Map `[model, row, feature]` to Gaussians, `[model, row, dimension]`."""
        found = torch.baddbmm(self.bias, features, self.weight)
        mean, log_variance = torch.split(found, self.dimension, dim=-1)
        return DiagonalGaussian(mean, log_variance)


class BatchedLstm(nn.Module):
    """`nn.LSTM` of every model; the second bias, which is frozen at 0, is left out."""

    def __init__(self, lstms: Sequence[nn.LSTM]) -> None:
        super().__init__()
        layers = range(lstms[0].num_layers)

        def of_all(form: Callable[[nn.LSTM, int], Tensor]) -> nn.ParameterList:
            return nn.ParameterList([stacked([form(lstm, n) for lstm in lstms]) for n in layers])

        self.from_input = of_all(lambda lstm, n: getattr(lstm, f"weight_ih_l{n}").T)
        self.from_state = of_all(lambda lstm, n: getattr(lstm, f"weight_hh_l{n}").T)
        self.bias = of_all(lambda lstm, n: getattr(lstm, f"bias_ih_l{n}")[None])

    def forward(self, inputs: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """Run all layers of all models.

        Args:
            inputs: `[frame, model, segment, feature]`; one frame stands for all.
            frames: how many to run.

        Returns:
            The states of the last layer, `[frame, model, segment, cell]`, and the last ones of
            all layers, `[model, segment, layer x cell]`.
        """
        last = []
        for from_input, from_state, bias in zip(
            self.from_input, self.from_state, self.bias, strict=True
        ):
            inputs = run_layer(inputs, frames, from_input, from_state, bias)
            last.append(inputs[-1])
        return inputs, torch.cat(last, dim=-1)


def run_layer(
    inputs: Tensor, frames: int, from_input: Tensor, from_state: Tensor, bias: Tensor
) -> Tensor:
    """Run a layer of every model: one product for all inputs, one for each frame's states."""
    given, models, segments, _ = inputs.shape
    flat = inputs.transpose(0, 1).flatten(1, 2)  # [model, frame x segment, feature]
    gates = torch.baddbmm(bias, flat, from_input).view(models, given, segments, -1)
    gates = gates.transpose(0, 1).contiguous()  # [frame, model, segment, gate]
    hidden = inputs.new_zeros(models, segments, from_state.shape[1])
    cell, outputs = hidden, []
    for frame in range(frames):
        hidden, cell = next_states(gates[frame % given], hidden, cell, from_state)
        outputs.append(hidden)
    return torch.stack(outputs)


def next_states(
    gates: Tensor, hidden: Tensor, cell: Tensor, from_state: Tensor
) -> tuple[Tensor, Tensor]:
    """Do one frame, `[model, segment, gate or cell]`; gates are in PyTorch's order."""
    if gates.is_cuda:
        return fused_states(gates, torch.bmm(hidden, from_state), cell)
    into, forget, new, out = torch.baddbmm(gates, hidden, from_state).chunk(4, dim=-1)
    cell = torch.sigmoid(forget) * cell + torch.sigmoid(into) * torch.tanh(new)
    return torch.sigmoid(out) * torch.tanh(cell), cell


def fused_states(
    from_input: Tensor,
    from_state: Tensor,
    cell: Tensor,
    kernel: Callable[..., tuple[Tensor, ...]] = torch.ops.aten._thnn_fused_lstm_cell,
) -> tuple[Tensor, Tensor]:
    """Do what follows the product in one kernel, that of `nn.LSTMCell` on a GPU."""
    flat = (one.flatten(0, 1) for one in (from_input, from_state, cell))
    hidden, kept, _ = kernel(*flat)
    return hidden.view_as(cell), kept.view_as(cell)


class BatchedModels(nn.Module):
    """Networks and tables of N models of equal size, whose cells are LSTMs."""

    def __init__(self, networks: Sequence[FHVAE], tables: Sequence[Tensor], alpha: float) -> None:
        super().__init__()
        self.params, self.alpha = networks[0].params, alpha
        parts = ("z2_encoder", "z1_encoder", "decoder")
        own = {part: [getattr(network, part) for network in networks] for part in parts}
        self.lstms = nn.ModuleDict(
            {part: BatchedLstm([one.lstm for one in found]) for part, found in own.items()}
        )
        self.heads = nn.ModuleDict(
            {part: BatchedHead([one.head for one in found]) for part, found in own.items()}
        )
        self.tables = stacked(tables)

    def encode(self, part: str, segments: Tensor) -> DiagonalGaussian:
        """Infer a latent of every model, `[model, segment, dimension]`."""
        _, last = self.lstms[part](segments, len(segments))
        latent: DiagonalGaussian = self.heads[part](last)
        return latent

    def decode(self, latent: Tensor, frames: int) -> DiagonalGaussian:
        """Generate `[model, frame x segment, mel]`."""
        outputs, _ = self.lstms["decoder"](latent[None], frames)
        found: DiagonalGaussian = self.heads["decoder"](outputs.transpose(0, 1).flatten(1, 2))
        return found

    def forward(
        self, segments: Tensor, sequence: Tensor, counts: Tensor, noise: torch.Generator
    ) -> Tensor:
        """Evaluate the loss of every model on a batch of its own, `[model]`.

        Args:
            segments: `[frame, model, segment, mel]`.
            sequence: `[model, segment]`, rows of the model's table.
            counts: `[model, segment]`, segments of each one's sequence.
            noise: of all models.
        """
        params, frames = self.params, len(segments)
        z2_posterior = self.encode("z2_encoder", segments)
        z2 = z2_posterior.sample(noise)
        beside = torch.cat([segments, z2.expand(frames, -1, -1, -1)], dim=-1)
        z1_posterior = self.encode("z1_encoder", beside)
        z1 = z1_posterior.sample(noise)
        x = self.decode(torch.cat([z1, z2], dim=-1), frames)
        rows = sequence[..., None].expand(-1, -1, params.z2)
        mu2 = self.tables.gather(1, rows)
        z2_prior = DiagonalGaussian(mu2, centred(params.z2_std, mu2).log_variance)
        wanted = segments.transpose(0, 1).flatten(1, 2)
        log_px = x.log_density(wanted).sum(dim=2).view(len(sequence), frames, -1).sum(dim=1)
        bound = (
            log_px
            - z1_posterior.kl_to(centred(params.z1_std, z1)).sum(dim=2)
            - z2_posterior.kl_to(z2_prior).sum(dim=2)
            + centred(params.mu2_std, mu2).log_density(mu2).sum(dim=2) / counts
        )
        losses: Tensor = -(bound + self.alpha * self.log_q(z2_posterior.mean, sequence)).mean(dim=1)
        return losses

    def log_q(self, z2_mean: Tensor, sequence: Tensor) -> Tensor:
        """See `fhvae.model.objective.log_q_sequence`; `[model, segment]`."""
        precision = self.params.z2_std**-2
        offsets = -0.5 * precision * self.tables.square().sum(dim=2)[:, None]
        logits = torch.baddbmm(offsets, z2_mean, self.tables.transpose(1, 2), alpha=precision)
        flat = nn.functional.cross_entropy(
            logits.flatten(0, 1), sequence.flatten(), reduction="none"
        )
        return -flat.view_as(sequence)
