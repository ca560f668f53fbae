"""The frames of a split on the device, and which mu2 each utterance belongs to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fhvae.artifacts import Packed
from fhvae.errors import ArtifactError
from fhvae.segments import Segments, segment_counts
from fhvae.shards import each_shard


@dataclass(frozen=True)
class SequenceData:
    """A split, resident in memory.

    Attributes:
        frames: `[row, mel]` float32, all utterances end to end.
        offsets, lengths: `[utterance]`, in rows.
        sequence: `[utterance]` int64, row of the mu2 table that the utterance shares.
        speakers: `[utterance]`, for the monitor on dev only.
    """

    frames: Tensor
    offsets: np.ndarray
    lengths: np.ndarray
    sequence: np.ndarray
    speakers: tuple[str, ...]

    @property
    def sequences(self) -> int:
        """Number of rows that the mu2 table needs."""
        return int(self.sequence.max()) + 1

    def segments_in_sequence(self, segment_frames: int, shift: int) -> Tensor:
        """Count N, the segments that share each mu2, `[sequence]` float32."""
        counts = segment_counts(self.lengths, segment_frames, shift)
        totals = np.bincount(self.sequence, weights=counts, minlength=self.sequences)
        return torch.from_numpy(totals.astype(np.float32)).to(self.frames.device)

    def on_device(self, segments: Segments) -> tuple[Tensor, Tensor]:
        """Move segments to the device as (starts, sequence), both `[segment]` int64."""
        starts = torch.from_numpy(segments.starts).to(self.frames.device)
        sequence = torch.from_numpy(self.sequence[segments.utterance]).to(self.frames.device)
        return starts, sequence


def load_sequences(
    copies: Sequence[Packed], speakers: Mapping[str, str], sequence: str, device: torch.device
) -> SequenceData:
    """Load a split whole onto the device.

    Args:
        copies: normalized frames of the split as it is and, perhaps, of the same utterances in
            noise or another room; each copy of an utterance is an utterance of its own.
        speakers: speaker of each utterance_id.
        sequence: "utterance": each has its own mu2; "speaker": utterances of one share it.
        device: where the frames live from now on.

    Raises:
        ArtifactError: an utterance has no speaker.
    """
    ids = [name for packed in copies for name in packed.utterance_ids]
    unknown = [name for name in ids if name not in speakers]
    if unknown:
        raise ArtifactError(
            f"every utterance with frames must stand in the manifest, {unknown[0]} does not; "
            "rerun the stage fbank"
        )
    names = tuple(speakers[utterance_id] for utterance_id in ids)
    number = np.repeat(np.arange(len(copies)), [len(packed) for packed in copies])
    own = zip(ids, number.tolist(), strict=True)
    labels = [(name, 0) for name in names] if sequence == "speaker" else list(own)
    rows = {label: row for row, label in enumerate(sorted(set(labels)))}
    lengths = np.concatenate([packed.lengths for packed in copies])
    firsts = np.cumsum([0, *(len(packed.rows) for packed in copies[:-1])])
    return SequenceData(
        frames=torch.from_numpy(_joined_frames(copies)).to(device),
        offsets=np.concatenate(
            [packed.offsets + first for packed, first in zip(copies, firsts, strict=True)]
        ),
        lengths=lengths,
        sequence=np.array([rows[label] for label in labels], np.int64),
        speakers=names,
    )


def _joined_frames(copies: Sequence[Packed]) -> np.ndarray:
    """Copy all frames into one array, `[row, mel]` float32; memory is that of the array."""
    rows = sum(len(packed.rows) for packed in copies)
    frames = np.empty((rows, *copies[0].rows.shape[1:]), np.float32)
    first = 0
    for part in (part for packed in copies for part in each_shard(packed.rows)):
        np.concatenate([part], out=frames[first : first + len(part)])  # refuses another shape
        first += len(part)
    return frames
