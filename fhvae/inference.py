"""Run a trained model over utterances: latents on a fixed grid, mu2 in closed form."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fhvae.artifacts import Packed
from fhvae.errors import ArtifactError
from fhvae.latents import Latents
from fhvae.model.objective import Posteriors, infer_mu2, posteriors
from fhvae.model.weights import TrainedModel


@torch.inference_mode()
def utterance_posteriors(trained: TrainedModel, frames: Tensor, shift: int) -> Posteriors:
    """Infer the latents of one utterance in one call of each encoder.

    Args:
        trained: the model.
        frames: `[frame, mel]`, normalized, at least one segment long.
        shift: frames between the starts of two segments.

    Returns:
        Posteriors with one row per segment.
    """
    segments = frames.unfold(0, trained.segments.frames, shift)  # [segment, mel, frame]
    return posteriors(trained.network, segments.permute(2, 0, 1).contiguous())


def infer_latents(
    trained: TrainedModel, packed: Packed, shift: int, order: Iterable[int] | None = None
) -> Latents:
    """Infer z1 and z2 of every segment and mu2 of every utterance, sorted by utterance id.

    Args:
        trained: the model.
        packed: normalized frames.
        shift: frames between the starts of two segments.
        order: positions of the utterances to take, e.g. with a progress bar around them;
            all, sorted by id, if None.

    Source:
        paper-map: s-vector-inference, latents.
    """
    if packed.rows.shape[1] != trained.network.mels:
        raise ArtifactError(
            f"frames must have the model's {trained.network.mels} mel bands, "
            f"got {packed.rows.shape[1]}; rerun the stage train"
        )
    device = next(trained.network.parameters()).device
    params = trained.network.params
    shrinkage = (params.z2_std / params.mu2_std) ** 2
    names, parts, mu2s = [], [], []
    for position in sorted_positions(packed.utterance_ids) if order is None else order:
        frames = torch.from_numpy(np.array(packed[position], dtype=np.float32)).to(device)
        found = utterance_posteriors(trained, frames, shift)
        one = torch.zeros(len(found.z2.mean), dtype=torch.int64, device=device)
        names.append(packed.utterance_ids[position])
        parts.append(found)
        mu2s.append(infer_mu2(found.z2.mean, one, 1, shrinkage).cpu().numpy())
    lengths = np.array([len(part.z2.mean) for part in parts], np.int64)
    starts = [np.arange(length, dtype=np.int32) * shift for length in lengths]
    return Latents(
        utterance_ids=tuple(names),
        offsets=np.cumsum(lengths) - lengths,
        lengths=lengths,
        starts=np.concatenate(starts).astype(np.int32),
        z1_mean=_joined([part.z1.mean for part in parts]),
        z1_log_variance=_joined([part.z1.log_variance for part in parts]),
        z2_mean=_joined([part.z2.mean for part in parts]),
        z2_log_variance=_joined([part.z2.log_variance for part in parts]),
        mu2=np.concatenate(mu2s),
        segment_frames=trained.segments.frames,
    )


def sorted_positions(utterance_ids: Sequence[str]) -> list[int]:
    """Order positions by utterance id."""
    return sorted(range(len(utterance_ids)), key=lambda position: utterance_ids[position])


def _joined(parts: list[Tensor]) -> np.ndarray:
    """Put the segments of all utterances end to end, `[segment, dimension]`."""
    return torch.cat(parts).cpu().numpy()


@dataclass(frozen=True)
class FactorGrid:
    """Segments decoded from every pair of a content and a speaker.

    Attributes:
        originals: `[segment, frame, mel]`.
        reconstructions: decoder means from each segment's own z1 and z2, same shape.
        grid: `[z1 of, z2 of, frame, mel]`, decoder means.
    """

    originals: np.ndarray
    reconstructions: np.ndarray
    grid: np.ndarray


@torch.inference_mode()
def factor_grid(trained: TrainedModel, segments: Tensor) -> FactorGrid:
    """Decode z1 of segment i with z2 of segment j, for all pairs, from posterior means.

    Args:
        trained: the model.
        segments: `[frame, segment, mel]`, normalized.

    Source:
        paper-map: factor-grid.
    """
    count, frames = segments.shape[1], segments.shape[0]
    found = posteriors(trained.network, segments)
    z1 = found.z1.mean.repeat_interleave(count, dim=0)
    z2 = found.z2.mean.repeat(count, 1)
    decoded = trained.network.decode(z1, z2, frames).mean.permute(1, 0, 2).cpu().numpy()
    grid = decoded.reshape(count, count, *decoded.shape[1:])
    return FactorGrid(
        originals=segments.permute(1, 0, 2).cpu().numpy(),
        reconstructions=grid[np.arange(count), np.arange(count)],
        grid=grid,
    )
