"""Latents of one split: z1 and z2 per segment, mu2 per utterance, in one safetensors file."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fhvae.errors import ArtifactError
from fhvae.files.packed import Packed
from fhvae.files.tensors import Kind, read_tensors, write_tensors

STAGE = "latents"
INDEX_KEY = "index"
KINDS = {
    "offsets": Kind("int64", "utterance"),
    "lengths": Kind("int64", "utterance"),
    "starts": Kind("int32", "segment"),
    "z1_mean": Kind("float32", "segment z1"),
    "z1_log_variance": Kind("float32", "segment z1"),
    "z2_mean": Kind("float32", "segment z2"),
    "z2_log_variance": Kind("float32", "segment z2"),
    "mu2": Kind("float32", "utterance z2"),
}
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


def write_latents(path: Path, latents: Latents) -> None:
    """Write one split; equal latents give equal bytes.

    Raises:
        ArtifactError: a value is NaN or infinite; the message names the utterance.
    """
    _check_finite(path, latents)
    index = {
        "utterance_ids": list(latents.utterance_ids),
        "segment_frames": latents.segment_frames,
    }
    arrays = {name: getattr(latents, name) for name in KINDS}
    write_tensors(path, arrays, {INDEX_KEY: json.dumps(index)})


def _check_finite(path: Path, latents: Latents) -> None:
    """Raise ArtifactError for the first utterance that holds a NaN or an infinity."""
    for row, (utterance_id, segments) in enumerate(latents.slices()):
        values = {name: getattr(latents, name)[segments] for name in PER_SEGMENT}
        for name, found in {**values, "mu2": latents.mu2[row]}.items():
            if not np.isfinite(found).all():
                raise ArtifactError(f"{path}: {name} of utterance {utterance_id} must be finite")


def read_latents(path: Path, stage: str = STAGE) -> Latents:
    """Read one split, of the stage that is named.

    Raises:
        ArtifactError: the file is missing or is not one of ours.
    """
    found = read_tensors(path, KINDS, stage)
    try:
        index = json.loads(found.texts[INDEX_KEY])
        names, frames = tuple(index["utterance_ids"]), index["segment_frames"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(
            f"{path} is not a latents file ({error!s:.80}); rerun the stage {stage}"
        ) from error
    latents = Latents(utterance_ids=names, segment_frames=frames, **found.arrays)
    if wrong := _what_is_wrong(latents):
        raise ArtifactError(f"{path}: {wrong}; rerun the stage {stage}")
    return latents


def _what_is_wrong(latents: Latents) -> str | None:
    """Say where an index does not fit its arrays."""
    ids, lengths, starts = latents.utterance_ids, latents.lengths, latents.starts
    if not all(isinstance(name, str) and name for name in ids):
        return "every utterance must have an id, one has none"
    if len(ids) != len(lengths) or list(ids) != sorted(set(ids)):
        return f"utterances must be {len(lengths)} different ones in the order of their ids"
    if type(latents.segment_frames) is not int or latents.segment_frames < 1:
        return (
            f"segment_frames must be a whole number from 1 on, got {latents.segment_frames!r:.40}"
        )
    if (lengths < 1).any() or sum(lengths.tolist()) != len(starts):
        return f"lengths must be from 1 on and together the {len(starts)} segments"
    if (latents.offsets != np.cumsum(lengths) - lengths).any():
        return "every utterance must begin where the one before it ends"
    later = np.ones(len(starts), bool)
    later[latents.offsets] = False  # the first segment of an utterance is before none
    if (starts[latents.offsets] < 0).any() or (np.diff(starts, prepend=0)[later] <= 0).any():
        return "the segments of an utterance must begin one after the other, from frame 0 on"
    return None


def check_within(latents: Latents, frames: Packed) -> None:
    """Hold segments against the frames that they are of.

    Raises:
        ArtifactError: the two have other utterances, or a segment reaches beyond its utterance.
    """
    for utterance_id in sorted(set(latents.utterance_ids) ^ set(frames.utterance_ids)):
        place = "fbank" if utterance_id in frames else "latents"
        raise ArtifactError(
            f"latents and fbank must hold the same utterances, {utterance_id} is in {place} only; "
            f"rerun {STAGE}"
        )
    for utterance_id, segments in latents.slices():
        end = int(latents.starts[segments.stop - 1]) + latents.segment_frames
        length = int(frames.lengths[frames.position(utterance_id)])
        if end > length:
            raise ArtifactError(
                f"utterance {utterance_id}: the latents reach frame {end - 1}, fbank has {length} "
                f"frames; rerun {STAGE}"
            )
