"""Run a trained model over utterances: latents on a fixed grid, mu2 in closed form."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fhvae.errors import ArtifactError
from fhvae.files.packed import Packed
from fhvae.latents import PER_SEGMENT, Latents
from fhvae.model.gaussian import ACTIVE_VARIANCE
from fhvae.model.objective import Posteriors, infer_mu2, posteriors
from fhvae.model.weights import TrainedModel
from fhvae.progress import progress_bar
from fhvae.segments import gather, grid_segments, segment_counts

GROUP_SEGMENTS = 16_384  # that a GPU gets at once; by estimate 2 GB of its memory at 256 cells


@dataclass(frozen=True)
class UtteranceLatents:
    """Posteriors of the segments of one utterance and its mu2, float32, on the CPU.

    Attributes:
        z1_mean, z1_log_variance: `[segment, z1]`, given the mean of z2.
        z2_mean, z2_log_variance: `[segment, z2]`.
        mu2: `[z2]`, closed form over these segments.
    """

    z1_mean: np.ndarray
    z1_log_variance: np.ndarray
    z2_mean: np.ndarray
    z2_log_variance: np.ndarray
    mu2: np.ndarray


def group_size(device: torch.device) -> int:
    """Say how many segments the encoders get at once; 0: those of one utterance.

    More than an utterance gains nothing on a CPU; with less than some thousands of segments
    a GPU waits for its next orders.
    """
    return 0 if device.type == "cpu" else GROUP_SEGMENTS


def infer_utterances(
    trained: TrainedModel,
    utterances: Iterable[np.ndarray],
    shift: int,
    group_segments: int | None = None,
) -> Iterator[UtteranceLatents]:
    """Infer the latents of utterances, in the order given.

    Memory on the device is that of one group, whatever the number and length of utterances.

    Args:
        trained: the model.
        utterances: `[frame, mel]` each, normalized, at least one segment long.
        shift: frames between the starts of two segments.
        group_segments: segments that the encoders get at once, of whole utterances or of a
            part of a long one; 0: those of one utterance; None: what suits the device.

    Raises:
        ValueError: an utterance is shorter than a segment.

    Source:
        paper-map: s-vector-inference, latents.
    """
    limit = group_size(_device(trained)) if group_segments is None else group_segments
    for group in _groups(utterances, trained.segments.frames, shift, limit):
        yield from _infer_group(trained, group, shift, limit)


def _device(trained: TrainedModel) -> torch.device:
    return next(trained.network.parameters()).device


def _groups(
    utterances: Iterable[np.ndarray], segment_frames: int, shift: int, limit: int
) -> Iterator[list[np.ndarray]]:
    """Collect utterances up to `limit` segments; one that has more is a group of its own."""
    group: list[np.ndarray] = []
    held = 0
    for frames in utterances:
        (count,) = segment_counts(np.array([len(frames)]), segment_frames, shift).tolist()
        if group and held + count > limit:
            yield group
            group, held = [], 0
        group.append(frames)
        held += count
    if group:
        yield group


@torch.inference_mode()
def _infer_group(
    trained: TrainedModel, group: Sequence[np.ndarray], shift: int, limit: int
) -> list[UtteranceLatents]:
    """Infer a group; its frames go to the device once and are cut into segments there."""
    device, segment_frames = _device(trained), trained.segments.frames
    lengths = np.array([len(frames) for frames in group])
    grid = grid_segments(np.cumsum(lengths) - lengths, lengths, segment_frames, shift)
    frames = torch.from_numpy(np.concatenate(group, dtype=np.float32)).to(device)
    starts = torch.from_numpy(grid.starts).to(device)
    parts = [
        _fetch(posteriors(trained.network, gather(frames, part, segment_frames)))
        for part in torch.split(starts, limit or len(starts))
    ]
    found = {name: torch.cat([part[name] for part in parts]) for name in PER_SEGMENT}
    params = trained.network.params
    shrinkage = (params.z2_std / params.mu2_std) ** 2
    # Fetched means are summed, so that the order is the same on every device and in every run.
    mu2 = infer_mu2(found["z2_mean"], torch.from_numpy(grid.utterance), len(group), shrinkage)
    ends = np.cumsum(np.bincount(grid.utterance))[:-1]
    split = {name: np.split(value.numpy(), ends) for name, value in found.items()}
    return [
        UtteranceLatents(**{name: values[row] for name, values in split.items()}, mu2=one)
        for row, one in enumerate(mu2.numpy())
    ]


def _fetch(found: Posteriors) -> dict[str, Tensor]:
    """Bring posteriors from the device, named as in `Latents`."""
    return {
        "z1_mean": found.z1.mean.cpu(),
        "z1_log_variance": found.z1.log_variance.cpu(),
        "z2_mean": found.z2.mean.cpu(),
        "z2_log_variance": found.z2.log_variance.cpu(),
    }


def infer_latents(
    trained: TrainedModel,
    packed: Packed,
    shift: int,
    label: str = "",
    group_segments: int | None = None,
) -> Latents:
    """Infer z1 and z2 of every segment and mu2 of every utterance, sorted by utterance id.

    Args:
        trained: the model.
        packed: normalized frames.
        shift: frames between the starts of two segments.
        label: of a progress bar over the utterances; without one there is none.
        group_segments: as `infer_utterances` takes it.
    """
    if packed.rows.shape[1] != trained.network.mels:
        raise ArtifactError(
            f"frames must have the model's {trained.network.mels} mel bands, "
            f"got {packed.rows.shape[1]}; rerun the stage train"
        )
    order = sorted_positions(packed.utterance_ids)
    latents = _room(trained, packed, shift, order)
    walk = progress_bar(order, label, "utt") if label else order
    utterances = (packed[position] for position in walk)
    found = infer_utterances(trained, utterances, shift, group_segments)
    for row, ((_, segments), one) in enumerate(zip(latents.slices(), found, strict=True)):
        for name in PER_SEGMENT:
            getattr(latents, name)[segments] = getattr(one, name)
        latents.mu2[row] = one.mu2
    return latents


def _room(trained: TrainedModel, packed: Packed, shift: int, order: Sequence[int]) -> Latents:
    """Lay out the latents of utterances in the order given, with room for what is inferred."""
    params, segment_frames = trained.network.params, trained.segments.frames
    lengths = packed.lengths[order]
    counts = segment_counts(lengths, segment_frames, shift)
    grid = grid_segments(np.zeros_like(lengths), lengths, segment_frames, shift)
    z1, z2 = (len(grid), params.z1), (len(grid), params.z2)
    return Latents(
        utterance_ids=tuple(packed.utterance_ids[position] for position in order),
        offsets=np.cumsum(counts) - counts,
        lengths=counts,
        starts=grid.starts.astype(np.int32),
        z1_mean=np.empty(z1, np.float32),
        z1_log_variance=np.empty(z1, np.float32),
        z2_mean=np.empty(z2, np.float32),
        z2_log_variance=np.empty(z2, np.float32),
        mu2=np.empty((len(order), params.z2), np.float32),
        segment_frames=segment_frames,
    )


def count_latents(latents: Latents) -> dict[str, int]:
    """Count utterances, segments, and the dimensions that are in use."""
    return {
        "utterances": len(latents.utterance_ids),
        "segments": len(latents.starts),
        "active_z1": int((latents.z1_mean.var(axis=0) > ACTIVE_VARIANCE).sum()),
        "active_z2": int((latents.z2_mean.var(axis=0) > ACTIVE_VARIANCE).sum()),
    }


def sorted_positions(utterance_ids: Sequence[str]) -> list[int]:
    """Order positions by utterance id."""
    return sorted(range(len(utterance_ids)), key=lambda position: utterance_ids[position])


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
