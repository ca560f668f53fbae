"""Run a trained model over utterances: latents on a fixed grid, mu2 in closed form."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from fhvae.errors import ArtifactError
from fhvae.files.packed import Packed, sorted_positions
from fhvae.latents import PER_SEGMENT, Latents
from fhvae.model.gaussian import ACTIVE_VARIANCE, DiagonalGaussian
from fhvae.model.objective import Posteriors, infer_mu2, infer_mu2_by_precision, posteriors
from fhvae.model.weights import TrainedModel
from fhvae.params.latents import Mu2Rule
from fhvae.params.model import ModelParams
from fhvae.progress import progress_bar
from fhvae.segments import gather, grid_segments, segment_counts

GROUP_SEGMENTS = 16_384  # that a GPU gets at once; by estimate 2 GB of its memory at 256 cells


def group_size(device: torch.device) -> int:
    """Say how many segments the encoders get at once; 0: those of one utterance.

    More than an utterance gains nothing on a CPU; with less than some thousands of segments
    a GPU waits for its next orders.
    """
    return 0 if device.type == "cpu" else GROUP_SEGMENTS


def infer_groups(
    trained: TrainedModel,
    utterances: Iterable[tuple[str, np.ndarray]],
    shift: int,
    group_segments: int | None = None,
) -> Iterator[Latents]:
    """Infer the latents of utterances, a few at a time, in the order given.

    Memory on the device is that of one group, whatever the number and length of utterances.

    Args:
        trained: the model.
        utterances: id and frames `[frame, mel]` each, normalized, at least one segment long.
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
        yield _infer_group(trained, group, shift, limit)


def _device(trained: TrainedModel) -> torch.device:
    return next(trained.network.parameters()).device


def _groups(
    utterances: Iterable[tuple[str, np.ndarray]], segment_frames: int, shift: int, limit: int
) -> Iterator[list[tuple[str, np.ndarray]]]:
    """Collect utterances up to `limit` segments; one that has more is a group of its own."""
    group: list[tuple[str, np.ndarray]] = []
    held = 0
    for utterance_id, frames in utterances:
        (count,) = segment_counts(np.array([len(frames)]), segment_frames, shift).tolist()
        if group and held + count > limit:
            yield group
            group, held = [], 0
        group.append((utterance_id, frames))
        held += count
    if group:
        yield group


@torch.inference_mode()
def _infer_group(
    trained: TrainedModel, group: Sequence[tuple[str, np.ndarray]], shift: int, limit: int
) -> Latents:
    """Infer a group; its frames go to the device once and are cut into segments there."""
    device, segment_frames = _device(trained), trained.segments.frames
    utterance_ids, arrays = zip(*group, strict=True)
    lengths = np.array([len(frames) for frames in arrays])
    first_rows = np.cumsum(lengths) - lengths
    grid = grid_segments(first_rows, lengths, segment_frames, shift)
    frames = torch.from_numpy(np.concatenate(arrays, dtype=np.float32)).to(device)
    starts = torch.from_numpy(grid.starts).to(device)
    parts = [
        _fetch(posteriors(trained.network, gather(frames, part, segment_frames)))
        for part in torch.split(starts, limit or len(starts))
    ]
    found = {name: torch.cat([part[name] for part in parts]) for name in PER_SEGMENT}
    # Fetched means are summed, so that the order is the same on every device and in every run.
    z2 = DiagonalGaussian(found["z2_mean"], found["z2_log_variance"])
    mu2 = mu2_by_rule(trained.mu2, z2, torch.from_numpy(grid.utterance), trained.network.params)
    counts = np.bincount(grid.utterance)
    return Latents(
        utterance_ids=utterance_ids,
        offsets=np.cumsum(counts) - counts,
        lengths=counts,
        starts=(grid.starts - first_rows[grid.utterance]).astype(np.int32),
        mu2=mu2.numpy(),
        segment_frames=segment_frames,
        **{name: values.numpy() for name, values in found.items()},
    )


def mu2_by_rule(
    rule: Mu2Rule, z2: DiagonalGaussian, utterance: Tensor, params: ModelParams
) -> Tensor:
    """Infer mu2, `[utterance, z2]`, from q(z2 | x) of all segments of utterances.

    Args:
        rule: `latents.mu2`.
        z2: `[segment, z2]`.
        utterance: `[segment]`, in order; each has a segment.
        params: with the standard deviations of the priors.

    Source:
        paper-map: s-vector-inference, mu2-by-precision.
    """
    count = int(utterance[-1]) + 1
    if rule == "precision":
        return infer_mu2_by_precision(z2, utterance, count, params.z2_std, params.mu2_std)
    return infer_mu2(z2.mean, utterance, count, (params.z2_std / params.mu2_std) ** 2)


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
        group_segments: as `infer_groups` takes it.
    """
    if packed.rows.shape[1] != trained.network.mels:
        raise ArtifactError(
            f"frames must have the model's {trained.network.mels} mel bands, "
            f"got {packed.rows.shape[1]}; rerun the stage train"
        )
    order = sorted_positions(packed.utterance_ids)
    latents = _room(trained, packed, shift, order)
    walk = progress_bar(order, label, "utt") if label else order
    utterance, segment = 0, 0
    for found in infer_groups(trained, packed.items(walk), shift, group_segments):
        utterances = slice(utterance, utterance := utterance + len(found.mu2))
        segments = slice(segment, segment := segment + len(found.starts))
        latents.mu2[utterances] = found.mu2
        for name in PER_SEGMENT:
            getattr(latents, name)[segments] = getattr(found, name)
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


def mean_mu2(
    trained: TrainedModel, packed: Packed, is_chosen: Callable[[str], bool]
) -> np.ndarray | None:
    """Average mu2 over chosen utterances, `[z2]` float64; None where none is chosen.

    Args:
        trained: the model, whose `segments.shift` is the grid.
        packed: normalized frames.
        is_chosen: of an utterance id.
    """
    chosen = [
        place
        for place in sorted_positions(packed.utterance_ids)
        if is_chosen(packed.utterance_ids[place])
    ]
    groups = infer_groups(trained, packed.items(chosen), trained.segments.shift)
    found = [group.mu2 for group in groups]
    return np.concatenate(found).mean(axis=0, dtype=np.float64) if found else None


def count_latents(latents: Latents) -> dict[str, int]:
    """Count utterances, segments, and the dimensions that are in use."""
    return {
        "utterances": len(latents.utterance_ids),
        "segments": len(latents.starts),
        "active_z1": int((latents.z1_mean.var(axis=0) > ACTIVE_VARIANCE).sum()),
        "active_z2": int((latents.z2_mean.var(axis=0) > ACTIVE_VARIANCE).sum()),
    }
