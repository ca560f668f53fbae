"""The frames of a split on the device, and which mu2 each utterance belongs to."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fhvae.artifacts import Packed
from fhvae.errors import ArtifactError
from fhvae.segments import Segments, segment_counts


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
    packed: Packed, speakers: dict[str, str], sequence: str, device: torch.device
) -> SequenceData:
    """Load a split whole onto the device.

    Args:
        packed: normalized frames.
        speakers: speaker of each utterance_id.
        sequence: "utterance": each has its own mu2; "speaker": utterances of one share it.
        device: where the frames live from now on.

    Raises:
        ArtifactError: an utterance has no speaker.
    """
    unknown = [name for name in packed.utterance_ids if name not in speakers]
    if unknown:
        raise ArtifactError(
            f"every utterance with frames must stand in the manifest, {unknown[0]} does not; "
            "rerun the stage fbank"
        )
    names = tuple(speakers[utterance_id] for utterance_id in packed.utterance_ids)
    labels = names if sequence == "speaker" else packed.utterance_ids
    _, rows = np.unique(np.array(labels), return_inverse=True)
    frames = torch.from_numpy(np.array(packed.rows, dtype=np.float32))
    return SequenceData(
        frames=frames.to(device),
        offsets=packed.offsets,
        lengths=packed.lengths,
        sequence=rows.astype(np.int64),
        speakers=names,
    )
