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
        x: p(x | z1, z2), `[frame, segment, mel]`.
    """

    log_px: Float[Tensor, " segment"]
    kl_z1: Float[Tensor, " segment"]
    kl_z2: Float[Tensor, " segment"]
    log_pmu2: Float[Tensor, " segment"]
    segments_in_sequence: Float[Tensor, " segment"]
    z2: DiagonalGaussian
    x: DiagonalGaussian

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
    seen: Float[Tensor, "frame segment mel"] | None = None,
) -> SegmentTerms:
    """Evaluate the bound of segments with one sample of z1 and z2 each.

    Args:
        model: networks and prior standard deviations.
        segments: normalized log-mel frames.
        mu2: prior mean of each segment's z2.
        segments_in_sequence: N of each segment's sequence.
        noise: where the samples come from.
        seen: what the encoders see of the segments; None: all.

    Source:
        paper-map: segment-lower-bound. The z1 encoder sees the z2 *sample*.
    """
    z2_posterior = model.encode_z2(segments if seen is None else seen)
    return terms_given_z2(model, segments, z2_posterior, mu2, segments_in_sequence, noise, seen)


def terms_given_z2(
    model: Networks,
    segments: Float[Tensor, "frame segment mel"],
    z2_posterior: DiagonalGaussian,
    mu2: Float[Tensor, "segment z2"],
    segments_in_sequence: Float[Tensor, " segment"],
    noise: torch.Generator,
    seen: Float[Tensor, "frame segment mel"] | None = None,
) -> SegmentTerms:
    """Evaluate the bound as `segment_terms` does, where q(z2 | x) is known already."""
    params = model.params
    z2 = z2_posterior.sample(noise)
    z1_posterior = model.encode_z1(segments if seen is None else seen, z2)
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
        x=x,
    )


def log_q_sequence(
    z2_mean: Float[Tensor, "segment z2"],
    mu2_table: Float[Tensor, "sequence z2"],
    sequence: Int[Tensor, " segment"],
    z2_std: float,
    skip_nearest: int = 0,
) -> Float[Tensor, " segment"]:
    """Log probability, in nats, of guessing a segment's sequence from the mean of its z2.

    The logit of row j is log N(z2_mean; mu2_j, z2_std^2) up to what all rows share, so it
    needs one matrix product and never a `[segment, sequence, z2]` difference.

    Args:
        z2_mean: posterior means, not samples.
        mu2_table: the rows that compete, all of them but those skipped.
        sequence: the right row of each segment.
        z2_std: standard deviation of p(z2 | mu2).
        skip_nearest: so many rows, the nearest to the right one, do not compete: they are mostly
            other utterances of its speaker, which the term would tell apart otherwise.

    Source:
        paper-map: discriminative-objective.
    """
    precision = z2_std**-2
    offsets = -0.5 * precision * mu2_table.square().sum(dim=1)
    logits = torch.addmm(offsets, z2_mean, mu2_table.T, alpha=precision)
    if skip_nearest:
        skipped = nearest_rows(mu2_table.detach(), sequence, skip_nearest)
        logits = logits.scatter(1, skipped, -torch.inf)
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


def nearest_rows(
    table: Float[Tensor, "sequence z2"], row: Int[Tensor, " segment"], count: int
) -> Int[Tensor, "segment nearest"]:
    """Find the `count` rows of a table that are nearest to row `row`, itself not among them."""
    nearness = torch.addmm(-0.5 * table.square().sum(dim=1), table[row], table.T)
    return nearness.scatter(1, row[:, None], -torch.inf).topk(count, dim=1).indices


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


def infer_mu2_by_precision(
    z2: DiagonalGaussian,
    sequence: Int[Tensor, " segment"],
    sequences: int,
    z2_std: float,
    mu2_std: float,
) -> Float[Tensor, "sequence z2"]:
    """Infer mu2 of each sequence from segments that tell more or less of it.

    A segment's q(z2 | x) is read as a measurement of its z2, of error variance v. With z2
    integrated out the measurement is drawn from N(mu2, v + z2_std^2); p(mu2) is one more.

    Args:
        z2: q(z2 | x), `[segment, z2]`, every segment of every sequence.
        sequence: which sequence a segment belongs to, 0 .. sequences - 1.
        sequences: number of rows to return.
        z2_std: standard deviation of p(z2 | mu2).
        mu2_std: standard deviation of p(mu2).

    Returns:
        The mean of the posterior of mu2; with v = 0 that of `infer_mu2`.

    Source:
        paper-map: mu2-by-precision.
    """
    precision = 1 / (torch.exp(z2.log_variance) + z2_std**2)
    zeros = precision.new_zeros(sequences, precision.shape[1])
    weighted = zeros.index_add(0, sequence, precision * z2.mean)
    return weighted / (zeros.index_add(0, sequence, precision) + mu2_std**-2)


@dataclass(frozen=True)
class Posteriors:
    """What a trained model says of segments: q(z1 | x, mean of z2) and q(z2 | x)."""

    z1: DiagonalGaussian
    z2: DiagonalGaussian


def posteriors(model: FHVAE, segments: Float[Tensor, "frame segment mel"]) -> Posteriors:
    """Infer both latents without sampling: the z1 encoder sees the mean of z2."""
    z2 = model.encode_z2(segments)
    return Posteriors(z1=model.encode_z1(segments, z2.mean), z2=z2)
