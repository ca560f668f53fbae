"""The dev criterion: the lower bound with mu2 in closed form (paper-map: dev-criterion)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from fhvae.model.gaussian import ACTIVE_VARIANCE, DiagonalGaussian, centered
from fhvae.model.network import FHVAE
from fhvae.model.objective import infer_mu2, terms_given_z2
from fhvae.params.segments import SegmentsParams
from fhvae.segments import gather
from fhvae.training.batches import SequenceData
from fhvae.training.table import INFERENCE_BATCH, sequence_grid, table_of_means, z2_posteriors

Monitor = Callable[[np.ndarray, tuple[str, ...]], float | None]
"""Takes vectors `[utterance, dimension]` and their speakers, returns an EER or None."""


@dataclass(frozen=True)
class DevTerms:
    """Means over all dev segments, in nats, and how much z1 and z2 vary.

    Attributes:
        z1_mean_variance, z2_mean_variance: variance of the posterior means over segments,
            summed over dimensions; near 0 the latent says nothing.
        certain_share: of all bands of all frames, where the decoder is surer than
            `training.collapse_log_variance_x`.
        eer_mu2, eer_mu1: the monitor's EER of utterance means; None where not computed.
    """

    lower_bound: float
    log_px: float
    kl_z1: float
    kl_z2: float
    log_pmu2: float
    z1_mean_variance: float
    z2_mean_variance: float
    certain_share: float
    eer_mu2: float | None
    eer_mu1: float | None


@dataclass(frozen=True)
class LatentUsage:
    """How the dimensions of z1 and z2 are used on dev, for the log.

    Attributes:
        kl_z1, kl_z2: `[dimension]`, means over segments, in nats; z1 given the mean of z2.
        active_z1, active_z2: dimensions whose posterior mean varies by more than
            `ACTIVE_VARIANCE`.
        mu2_norm: mean Euclidean norm of mu2.
    """

    kl_z1: tuple[float, ...]
    kl_z2: tuple[float, ...]
    active_z1: int
    active_z2: int
    mu2_norm: float


@torch.no_grad()
def evaluate_dev(
    network: FHVAE,
    data: SequenceData,
    segments: SegmentsParams,
    noise_seed: int,
    monitor: Monitor | None,
    certain: float,
) -> tuple[DevTerms, LatentUsage]:
    """Evaluate the bound on the dev grid.

    The noise is the same at every call, so two epochs differ by their weights only. `certain` is
    the log-variance below which the decoder counts as sure.
    """
    device = data.frames.device
    noise = torch.Generator(device).manual_seed(noise_seed)
    params = network.params
    sizes = (params.z1, params.z2)
    counts = data.segments_in_sequence(segments.frames, segments.shift)
    grid = sequence_grid(data, segments)
    starts, sequence = data.on_device(grid)
    z2_parts = list(z2_posteriors(network, data, grid, segments.frames))
    z2 = torch.cat([part.mean for part in z2_parts])
    mu2 = table_of_means(z2, data, grid, params)
    sums = torch.zeros(6, dtype=torch.float64, device=device)
    kl_sums = [torch.zeros(size, dtype=torch.float64, device=device) for size in sizes]
    z1_means = []
    for part, rows, z2_part in zip(
        torch.split(starts, INFERENCE_BATCH),
        torch.split(sequence, INFERENCE_BATCH),
        z2_parts,
        strict=True,
    ):
        batch = gather(data.frames, part, segments.frames)
        terms = terms_given_z2(network, batch, z2_part, mu2[rows], counts[rows], noise)
        sure = (terms.x.log_variance < certain).double().mean(dim=(0, 2))
        parts = (terms.lower_bound, terms.log_px, terms.kl_z1, terms.kl_z2, terms.log_pmu2, sure)
        sums += torch.stack([value.double().sum() for value in parts])
        z1_posterior = network.encode_z1(batch, z2_part.mean)  # the bound has a sample of z2
        z1_means.append(z1_posterior.mean)
        z2_prior = DiagonalGaussian(mu2[rows], centered(params.z2_std, mu2).log_variance)
        kl_sums[0] += z1_posterior.kl_to(centered(params.z1_std, mu2)).double().sum(dim=0)
        kl_sums[1] += z2_part.kl_to(z2_prior).double().sum(dim=0)
    lower_bound, log_px, kl_z1, kl_z2, log_pmu2, certain_share = (sums / len(grid)).tolist()
    z1 = torch.cat(z1_means)
    variances = [z.double().var(dim=0, correction=0) for z in (z1, z2)]
    eers: list[float | None] = [None, None]
    if monitor is not None:
        utterance = torch.from_numpy(grid.utterance).to(device)
        eers = [
            monitor(infer_mu2(z, utterance, len(data.lengths), 0.0).cpu().numpy(), data.speakers)
            for z in (z2, z1)
        ]
    terms_of_all = DevTerms(
        lower_bound=lower_bound,
        log_px=log_px,
        kl_z1=kl_z1,
        kl_z2=kl_z2,
        log_pmu2=log_pmu2,
        z1_mean_variance=float(variances[0].sum()),
        z2_mean_variance=float(variances[1].sum()),
        certain_share=certain_share,
        eer_mu2=eers[0],
        eer_mu1=eers[1],
    )
    usage = LatentUsage(
        kl_z1=tuple((kl_sums[0] / len(grid)).tolist()),
        kl_z2=tuple((kl_sums[1] / len(grid)).tolist()),
        active_z1=int((variances[0] > ACTIVE_VARIANCE).sum()),
        active_z2=int((variances[1] > ACTIVE_VARIANCE).sum()),
        mu2_norm=float(mu2.norm(dim=1).mean()),
    )
    return terms_of_all, usage
