"""The sequences of a split: where their frames lie, and frames of some or all in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from fhvae.artifacts import Packed
from fhvae.errors import ArtifactError
from fhvae.segments import Segments, segment_counts
from fhvae.shards import copy_ranges


@dataclass(frozen=True)
class SequenceData:
    """Sequences, resident in memory.

    Attributes:
        frames: `[row, mel]` float32 or float16, all utterances end to end.
        offsets, lengths: `[utterance]`, in rows.
        sequence: `[utterance]` int64, row of the mu2 table that the utterance shares.
        sequences: rows of that table; it may have rows of sequences that are not here.
        speakers: `[utterance]`, for the monitor on dev only.
    """

    frames: Tensor
    offsets: np.ndarray
    lengths: np.ndarray
    sequence: np.ndarray
    sequences: int
    speakers: tuple[str, ...]

    def segments_in_sequence(self, segment_frames: int, shift: int) -> Tensor:
        """Count N, the segments that share each mu2, `[sequence]` float32; 0 if not here."""
        counts = segment_counts(self.lengths, segment_frames, shift)
        totals = np.bincount(self.sequence, weights=counts, minlength=self.sequences)
        return torch.from_numpy(totals.astype(np.float32)).to(self.frames.device)

    def on_device(self, segments: Segments) -> tuple[Tensor, Tensor]:
        """Move segments to the device as (starts, sequence), both `[segment]` int64."""
        starts = torch.from_numpy(segments.starts).to(self.frames.device)
        sequence = torch.from_numpy(self.sequence[segments.utterance]).to(self.frames.device)
        return starts, sequence


@dataclass(frozen=True)
class Sequences:
    """The sequences of a split on disk: no frames, some 60 bytes an utterance.

    Attributes:
        copies: normalized frames of the split as it is and, perhaps, of the same utterances in
            noise or another room; their ids and places are not needed any more and gone.
        copy: `[utterance]`, in which of the copies its frames are.
        offsets, lengths: `[utterance]`, rows there.
        sequence: `[utterance]` int64, the sequence, from 0, that the utterance is part of.
        speakers: `[utterance]`.
    """

    copies: tuple[Packed, ...]
    copy: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray
    sequence: np.ndarray
    speakers: tuple[str, ...]

    def __len__(self) -> int:
        """Count the sequences."""
        return int(self.sequence.max()) + 1

    @property
    def mels(self) -> int:
        """Values of a frame."""
        return int(self.copies[0].rows.shape[1])

    @property
    def frame_bytes(self) -> int:
        """Size of all frames, as they are on disk."""
        return int(self.lengths.sum()) * self.mels * self._dtype.itemsize

    @property
    def _dtype(self) -> np.dtype[np.generic]:
        return np.result_type(*(packed.rows.dtype for packed in self.copies))

    @cached_property
    def _by_sequence(self) -> np.ndarray:
        """Order utterances by sequence, those of a sequence as they lie."""
        return np.argsort(self.sequence, kind="stable")

    @cached_property
    def _first_of_sequence(self) -> np.ndarray:
        """Find where in that order each sequence begins, and where the last one ends."""
        ordered = self.sequence[self._by_sequence]
        return np.searchsorted(ordered, np.arange(len(self) + 1))

    def segment_counts(self, segment_frames: int, shift: int) -> np.ndarray:
        """Count the segments of each sequence, `[sequence]`."""
        counts = segment_counts(self.lengths, segment_frames, shift)
        return np.bincount(self.sequence, weights=counts, minlength=len(self)).astype(np.int64)

    def utterances_of(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the utterances of some sequences, in the order of the files.

        Args:
            chosen: `[row]`, numbers of sequences.

        Returns:
            Positions of the utterances, and for each the row of its sequence in `chosen`.
        """
        first = self._first_of_sequence
        parts = [self._by_sequence[first[one] : first[one + 1]] for one in chosen.tolist()]
        rows = np.repeat(np.arange(len(chosen)), [len(part) for part in parts])
        utterances = np.concatenate(parts)
        order = np.argsort(utterances)
        return utterances[order], rows[order]

    def load(self, device: torch.device) -> SequenceData:
        """Load the split whole onto the device."""
        return self._load(np.arange(len(self.lengths)), self.sequence, len(self), device)

    def load_some(
        self, chosen: np.ndarray, rows: np.ndarray, table_rows: int, device: torch.device
    ) -> SequenceData:
        """Load some sequences onto the device; of the files, no more than these is read.

        Args:
            chosen: `[row]`, numbers of sequences.
            rows: `[row]`, the row of the table of mu2 that each has.
            table_rows: how many rows that table has.
            device: where the frames live from now on.
        """
        utterances, position = self.utterances_of(chosen)
        return self._load(utterances, rows[position], table_rows, device)

    def _load(
        self, utterances: np.ndarray, rows: np.ndarray, table_rows: int, device: torch.device
    ) -> SequenceData:
        lengths = self.lengths[utterances]
        offsets = np.cumsum(lengths) - lengths
        frames = np.empty((lengths.sum(), self.mels), self._dtype)
        for number, packed in enumerate(self.copies):
            own = np.flatnonzero(self.copy[utterances] == number)
            if len(own):
                first, end = offsets[own[0]], offsets[own[-1]] + lengths[own[-1]]
                starts = self.offsets[utterances[own]]
                copy_ranges(packed.rows, starts, lengths[own], frames[first:end])
        return SequenceData(
            frames=torch.from_numpy(frames).to(device),
            offsets=offsets,
            lengths=lengths,
            sequence=rows,
            sequences=table_rows,
            speakers=tuple(self.speakers[utterance] for utterance in utterances.tolist()),
        )


def open_sequences(
    copies: Sequence[Packed], speakers: Mapping[str, str], sequence: str
) -> Sequences:
    """Say which utterances share a mu2; frames are not read.

    Args:
        copies: see `Sequences`; each copy of an utterance is an utterance of its own.
        speakers: speaker of each utterance_id.
        sequence: "utterance": each has its own mu2; "speaker": utterances of one share it.

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
    none = np.empty(0, np.int64)
    return Sequences(
        copies=tuple(replace(one, utterance_ids=(), offsets=none, lengths=none) for one in copies),
        copy=number.astype(np.int8),
        offsets=np.concatenate([packed.offsets for packed in copies]),
        lengths=np.concatenate([packed.lengths for packed in copies]),
        sequence=np.array([rows[label] for label in labels], np.int64),
        speakers=names,
    )
