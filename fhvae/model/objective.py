"""What is maximized: the segment lower bound plus alpha times log q(sequence | z2).

It takes Gaussians and does not know the networks' insides. Everything is summed over
frames, mel bands and dimensions, and averaged over segments only (paper-map:
segment-lower-bound, discriminative-objective, s-vector-inference).
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fhvae.model.gaussian import DiagonalGaussian, centered
from fhvae.model.network import FHVAE
from fhvae.params.model import ModelParams


@runtime_checkable
class Networks(Protocol):
    """What the bound asks of a model; `FHVAE` is one."""

    params: ModelParams

    def encode_z2(self, segments: Tensor) -> DiagonalGaussian:
        """Infer q(z2 | x)."""

    def encode_z1(self, segments: Tensor, z2: Tensor) -> DiagonalGaussian:
        """Infer q(z1 | x, z2)."""

    def decode(self, z1: Tensor, z2: Tensor, frames: int) -> DiagonalGaussian:
        """Generate p(x | z1, z2)."""


@dataclass(frozen=True)
class SegmentTerms:
    """The parts of the segment lower bound, in nats, one value per segment.

    Attributes:
        log_px: log p(x | z1, z2), one sample of z1 and z2.
        kl_z1: KL(q(z1 | x, z2) || p(z1)).
        kl_z2: KL(q(z2 | x) || p(z2 | mu2)).
        log_pmu2: log p(mu2) of the segment's sequence, not yet shared among its segments.
        segments_in_sequence: N, how many segments share that mu2.
        z2: the posterior q(z2 | x).
    """

    log_px: Float[Tensor, " segment"]
    kl_z1: Float[Tensor, " segment"]
    kl_z2: Float[Tensor, " segment"]
    log_pmu2: Float[Tensor, " segment"]
    segments_in_sequence: Float[Tensor, " segment"]
    z2: DiagonalGaussian

    @property
    def lower_bound(self) -> Float[Tensor, " segment"]:
        """Segment variational lower bound."""
        return self.log_px - self.kl_z1 - self.kl_z2 + self.log_pmu2 / self.segments_in_sequence


def segment_terms(
    model: Networks,
    segments: Float[Tensor, "frame segment mel"],
    mu2: Float[Tensor, "segment z2"],
    segments_in_sequence: Float[Tensor, " segment"],
    noise: torch.Generator,
) -> SegmentTerms:
    """Evaluate the bound of segments with one sample of z1 and z2 each.

    Args:
        model: networks and prior standard deviations.
        segments: normalized log-mel frames.
        mu2: prior mean of each segment's z2.
        segments_in_sequence: N of each segment's sequence.
        noise: where the samples come from.

    Source:
        paper-map: segment-lower-bound. The z1 encoder sees the z2 *sample*.
    """
    z2_posterior = model.encode_z2(segments)
    return terms_given_z2(model, segments, z2_posterior, mu2, segments_in_sequence, noise)


def terms_given_z2(
    model: Networks,
    segments: Float[Tensor, "frame segment mel"],
    z2_posterior: DiagonalGaussian,
    mu2: Float[Tensor, "segment z2"],
    segments_in_sequence: Float[Tensor, " segment"],
    noise: torch.Generator,
) -> SegmentTerms:
    """Evaluate the bound as `segment_terms` does, where q(z2 | x) is known already."""
    params = model.params
    z2 = z2_posterior.sample(noise)
    z1_posterior = model.encode_z1(segments, z2)
    z1 = z1_posterior.sample(noise)
    x = model.decode(z1, z2, frames=len(segments))
    z2_prior = DiagonalGaussian(mu2, centered(params.z2_std, mu2).log_variance)
    return SegmentTerms(
        log_px=x.log_density(segments).sum(dim=(0, 2)),
        kl_z1=z1_posterior.kl_to(centered(params.z1_std, z1)).sum(dim=1),
        kl_z2=z2_posterior.kl_to(z2_prior).sum(dim=1),
        log_pmu2=centered(params.mu2_std, mu2).log_density(mu2).sum(dim=1),
        segments_in_sequence=segments_in_sequence,
        z2=z2_posterior,
    )


def log_q_sequence(
    z2_mean: Float[Tensor, "segment z2"],
    mu2_table: Float[Tensor, "sequence z2"],
    sequence: Int[Tensor, " segment"],
    z2_std: float,
) -> Float[Tensor, " segment"]:
    """Log probability, in nats, of guessing a segment's sequence from the mean of its z2.

    The logit of row j is log N(z2_mean; mu2_j, z2_std^2) up to what all rows share, so it
    needs one matrix product and never a `[segment, sequence, z2]` difference.

    Args:
        z2_mean: posterior means, not samples.
        mu2_table: the rows that compete, all of them.
        sequence: the right row of each segment.
        z2_std: standard deviation of p(z2 | mu2).

    Source:
        paper-map: discriminative-objective.
    """
    precision = z2_std**-2
    offsets = -0.5 * precision * mu2_table.square().sum(dim=1)
    logits = torch.addmm(offsets, z2_mean, mu2_table.T, alpha=precision)
    return -torch.nn.functional.cross_entropy(logits, sequence, reduction="none")


def loss_of(
    lower_bound: Float[Tensor, " segment"], log_q: Float[Tensor, " segment"], alpha: float
) -> Float[Tensor, ""]:
    """Put the discriminative segment bound together: minus the mean of bound + alpha log q.

    Args:
        lower_bound: of `segment_terms`, in nats.
        log_q: of `log_q_sequence`; left out, and free of a gradient, where alpha is 0.
        alpha: weight of the discriminative term.

    Source:
        paper-map: discriminative-objective.
    """
    loss = -lower_bound.mean()
    return loss - alpha * log_q.mean() if alpha > 0 else loss


def infer_mu2(
    z2_mean: Float[Tensor, "segment z2"],
    sequence: Int[Tensor, " segment"],
    sequences: int,
    shrinkage: float,
) -> Float[Tensor, "sequence z2"]:
    """Infer mu2 (the s-vector) of each sequence from the z2 means of its segments.

    Args:
        z2_mean: posterior means, every segment of every sequence.
        sequence: which sequence a segment belongs to, 0 .. sequences - 1.
        sequences: number of rows to return.
        shrinkage: (z2_std / mu2_std)^2, as if so many more segments sat at zero.

    Returns:
        sum of the means / (N + shrinkage): the mu2 that maximizes the sequence's bound.

    Raises:
        ValueError: a sequence has no segment.

    Source:
        paper-map: s-vector-inference.
    """
    counts = torch.bincount(sequence, minlength=sequences)
    if bool((counts == 0).any()):
        raise ValueError("cannot infer the mu2 of a sequence without segments")
    sums = z2_mean.new_zeros(sequences, z2_mean.shape[1]).index_add(0, sequence, z2_mean)
    return sums / (counts + shrinkage)[:, None].to(sums.dtype)


@dataclass(frozen=True)
class Posteriors:
    """What a trained model says of segments: q(z1 | x, mean of z2) and q(z2 | x)."""

    z1: DiagonalGaussian
    z2: DiagonalGaussian


def posteriors(model: FHVAE, segments: Float[Tensor, "frame segment mel"]) -> Posteriors:
    """Infer both latents without sampling: the z1 encoder sees the mean of z2."""
    z2 = model.encode_z2(segments)
    return Posteriors(z1=model.encode_z1(segments, z2.mean), z2=z2)
