"""Latents of one split: z1 and z2 per segment, mu2 per utterance, in one safetensors file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from fhvae.errors import ArtifactError
from fhvae.files.atomic import check_readable, new_file

INDEX_KEY = "index"
PER_SEGMENT = ("z1_mean", "z1_log_variance", "z2_mean", "z2_log_variance")


@dataclass(frozen=True)
class Latents:
    """Posteriors of the segments of utterances, and their mu2: of a split, sorted by id.

    Attributes:
        utterance_ids: in the order of all else.
        offsets, lengths: `[utterance]` int64, in segments.
        starts: `[segment]` int32, first frame of the segment in its utterance.
        z1_mean, z1_log_variance: `[segment, z1]` float32, given the mean of z2.
        z2_mean, z2_log_variance: `[segment, z2]` float32.
        mu2: `[utterance, z2]` float32, over the segments of the utterance by `latents.mu2`.
        segment_frames: frames in a segment.
    """

    utterance_ids: tuple[str, ...]
    offsets: np.ndarray
    lengths: np.ndarray
    starts: np.ndarray
    z1_mean: np.ndarray
    z1_log_variance: np.ndarray
    z2_mean: np.ndarray
    z2_log_variance: np.ndarray
    mu2: np.ndarray
    segment_frames: int

    def slices(self) -> Iterator[tuple[str, slice]]:
        """Walk over (utterance_id, its segments)."""
        for utterance_id, offset, length in zip(
            self.utterance_ids, self.offsets, self.lengths, strict=True
        ):
            yield utterance_id, slice(int(offset), int(offset + length))

    @property
    def segment_utterance(self) -> np.ndarray:
        """Position of each segment's utterance, `[segment]`."""
        return np.asarray(np.repeat(np.arange(len(self.lengths)), self.lengths))

    @property
    def center_frames(self) -> np.ndarray:
        """Frame in the middle of each segment, `[segment]`; of an even length, the earlier one."""
        return np.asarray(self.starts + (self.segment_frames - 1) // 2)

    @property
    def mu1(self) -> np.ndarray:
        """Mean of z1 over each utterance, `[utterance, z1]`: it should not know who."""
        sums = np.add.reduceat(self.z1_mean.astype(np.float64), self.offsets, axis=0)
        return np.asarray(sums / self.lengths[:, None], np.float32)


def _array_names() -> list[str]:
    scalars = ("utterance_ids", "segment_frames")
    return [item.name for item in fields(Latents) if item.name not in scalars]


def write_latents(path: Path, latents: Latents) -> None:
    """Write one split; equal latents give equal bytes.

    Raises:
        ArtifactError: a value is NaN or infinite; the message names the utterance.
    """
    from safetensors.numpy import save_file

    _check_finite(path, latents)
    index = {
        "utterance_ids": list(latents.utterance_ids),
        "segment_frames": latents.segment_frames,
    }
    arrays = {name: np.ascontiguousarray(getattr(latents, name)) for name in _array_names()}
    with new_file(path) as partial:
        save_file(arrays, partial, metadata={INDEX_KEY: json.dumps(index)})


def _check_finite(path: Path, latents: Latents) -> None:
    """Raise ArtifactError for the first utterance that holds a NaN or an infinity."""
    for row, (utterance_id, segments) in enumerate(latents.slices()):
        values = {name: getattr(latents, name)[segments] for name in PER_SEGMENT}
        for name, found in {**values, "mu2": latents.mu2[row]}.items():
            if not np.isfinite(found).all():
                raise ArtifactError(f"{path}: {name} of utterance {utterance_id} must be finite")


def read_latents(path: Path) -> Latents:
    """Read one split.

    Raises:
        ArtifactError: the file is missing or is not one of ours.
    """
    from safetensors import SafetensorError, safe_open

    check_readable(path, "latents")
    try:
        with safe_open(path, framework="numpy") as file:
            index = json.loads(file.metadata()[INDEX_KEY])
            names, frames = tuple(index["utterance_ids"]), int(index["segment_frames"])
            arrays = {name: file.get_tensor(name) for name in _array_names()}
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path} is not a latents file ({error}); rerun latents") from error
    return Latents(
        utterance_ids=names,
        segment_frames=frames,
        **arrays,
    )
