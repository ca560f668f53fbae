"""From sequences on disk to batches: which are in memory, and how a pass cuts them.

Sequences      what the table of mu2 has rows for: all of a split, on disk
SequenceData   some or all of them, frames in memory
Blocks         which of them a pass goes over
TrainingPass   where the segments of a pass begin, shuffled, cut into batches

Flat training has one block, all sequences, in every pass. Hierarchical sampling draws K of them
for each pass; the next block is read by a thread while the present one is trained on
(paper-map: hierarchical-sampling). Processes that train together share the sequences of a
block (docs/decisions/0015-several-processes.md); the table is whole in each.
"""

import heapq
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from fhvae.errors import ArtifactError, ParamsError, TrainingError
from fhvae.files.packed import Packed
from fhvae.files.shards import copy_ranges
from fhvae.params.segments import SegmentsParams
from fhvae.seeds import generator
from fhvae.segments import Segments, random_segments, segment_counts
from fhvae.training.world import World

DEVICE_SHARE = 0.8  # of the free device memory that frames may take


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

    def segment_counts(self, segment_frames: int, shift: int) -> np.ndarray:
        """Count the segments of each sequence, `[sequence]`."""
        counts = segment_counts(self.lengths, segment_frames, shift)
        return np.bincount(self.sequence, weights=counts, minlength=len(self)).astype(np.int64)

    def load(self, device: torch.device) -> SequenceData:
        """Load the split whole onto the device, a row of the table for each sequence."""
        every = np.arange(len(self))
        return self.load_some(every, every, len(every), device)

    def load_some(
        self, chosen: np.ndarray, rows: np.ndarray, table_rows: int, device: torch.device
    ) -> SequenceData:
        """Load some sequences onto the device; of the files, no more than these is read.

        Args:
            chosen: `[row]`, numbers of sequences, none of them twice.
            rows: `[row]`, the row of the table of mu2 that each has.
            table_rows: how many rows that table has.
            device: where the frames live from now on.
        """
        row_of_sequence = np.full(len(self), -1)
        row_of_sequence[chosen] = rows
        row_of_utterance = row_of_sequence[self.sequence]
        utterances = np.flatnonzero(row_of_utterance >= 0)  # in the order of the files
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
            sequence=row_of_utterance[utterances],
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


@dataclass(frozen=True)
class Block:
    """What passes draw from.

    Attributes:
        number: of the block in the run.
        data: this process's share, on the device.
        batches: of a pass over it; the same for all processes.
    """

    number: int
    data: SequenceData
    batches: int


class Blocks:
    """The blocks of a run, by number; equal arguments, equal blocks."""

    def __init__(
        self,
        sequences: Sequences,
        block_sequences: int,
        segments: SegmentsParams,
        batch: int,
        seed: int,
        device: torch.device,
        world: World,
    ) -> None:
        """Prepare to read; `block_sequences` is K, 0 for all.

        Raises:
            ParamsError: K is more than there are or less than one for each process, or a block
                may have too few segments for a batch.
            ArtifactError: an utterance is shorter than a segment.
            TrainingError: the device has too little memory.
        """
        self.hierarchical = block_sequences > 0
        self.rows = block_sequences or len(sequences)
        self._sequences, self._seed = sequences, seed
        self._device, self._world = device, world
        self._batch = world.share_of_batch(batch)
        if not world.size <= self.rows <= len(sequences):
            raise ParamsError(
                f"training.block_sequences must be 0 or at most the {len(sequences)} sequences of "
                f"the train split, and one for each of {world.size} processes, "
                f"got {block_sequences}"
            )
        if sequences.lengths.min() < segments.frames:
            raise ArtifactError(
                f"utterances must have segments.frames={segments.frames} frames, one has "
                f"{sequences.lengths.min()}; rerun the stage fbank"
            )
        self._counts = sequences.segment_counts(segments.frames, segments.train_shift)
        self._check_batch()
        self._check_memory()
        self._reader: ThreadPoolExecutor | None = None
        if self.hierarchical:
            self._reader = ThreadPoolExecutor(1, "blocks", _use, (device,))
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._next: tuple[int, Future[Block]] | None = None
        self._whole: Block | None = None

    def take(self, number: int) -> Block:
        """Give block `number`, and begin to read the one after it."""
        if self._reader is None:
            if self._whole is None:
                self._whole = self._read(0)
            return self._whole
        if self._next is None or self._next[0] != number:
            self._next = number, self._reader.submit(self._read, number)
        block = self._next[1].result()
        self._next = number + 1, self._reader.submit(self._read, number + 1)
        if self._stream is not None:  # its memory must not be used again while this stream reads
            block.data.frames.record_stream(torch.cuda.current_stream())
        return block

    def close(self) -> None:
        """Stop reading ahead."""
        if self._reader is not None:
            self._reader.shutdown(cancel_futures=True)

    def chosen(self, number: int) -> np.ndarray:
        """Draw the sequences of a block, `[row]`, without replacement; blocks are independent."""
        if not self.hierarchical:
            return np.arange(self.rows)
        random = generator(self._seed, "block", number)
        return np.sort(random.choice(len(self._sequences), self.rows, replace=False))

    def _read(self, number: int) -> Block:
        chosen = self.chosen(number)
        shares = self._shares(self._counts[chosen])
        rows = shares[self._world.rank]
        with torch.cuda.stream(self._stream):  # beside the stream that trains; no-op on a CPU
            data = self._sequences.load_some(chosen[rows], rows, self.rows, self._device)
        if self._stream is not None:
            self._stream.synchronize()
        least = min(int(self._counts[chosen[share]].sum()) for share in shares)
        return Block(number, data, least // self._batch)

    def _shares(self, counts: np.ndarray) -> list[np.ndarray]:
        """Share rows among the processes so that all have nearly the same number of segments.

        The longest first, each to the process that has least; equal counts, equal shares.
        """
        if self._world.size == 1:
            return [np.arange(len(counts))]
        heap = [(0, rank) for rank in range(self._world.size)]
        shares: list[list[int]] = [[] for _ in heap]
        for row in np.argsort(-counts, kind="stable").tolist():
            held, rank = heap[0]
            heapq.heapreplace(heap, (held + int(counts[row]), rank))
            shares[rank].append(row)
        return [np.sort(np.array(share, np.int64)) for share in shares]

    def _check_batch(self) -> None:
        """Refuse a batch that the smallest block of all could not fill."""
        smallest = np.sort(self._counts)[: self.rows]
        least = min(int(smallest[share].sum()) for share in self._shares(smallest))
        if least < self._batch:
            where = "the train split"
            if self.hierarchical:
                where = f"the {self.rows} shortest sequences, which may become a block,"
            among = f" for each of {self._world.size} processes" if self._world.size > 1 else ""
            raise ParamsError(
                f"training.batch must be at most the {least * self._world.size} segments that "
                f"{where} have{among}, got {self._batch * self._world.size}"
            )

    def _check_memory(self) -> None:
        """Refuse what the device cannot hold; of blocks two, as one is read ahead."""
        if self._device.type != "cuda":
            return
        share = self.rows / len(self._sequences) / self._world.size
        needed = self._sequences.frame_bytes * share * (2 if self.hierarchical else 1)
        free, _ = torch.cuda.mem_get_info(self._device)
        if needed > DEVICE_SHARE * free:
            raise TrainingError(
                f"frames must fit on the device, they are {needed / 1e9:.1f} GB and "
                f"{free / 1e9:.1f} GB are free; set training.block_sequences (docs/scaling.md), "
                "or fbank.store to float16"
            )


def _use(device: torch.device) -> None:
    """Make a GPU that of this thread; a new one has the first, and would take memory there."""
    if device.type == "cuda":
        torch.cuda.set_device(device)


@dataclass(frozen=True)
class TrainingPass:
    """One pass: batches of segment starts with the row of each segment's sequence.

    Attributes:
        starts: `[batch, segment]` int64.
        sequence: `[batch, segment]` int64.
    """

    starts: Tensor
    sequence: Tensor

    def __len__(self) -> int:
        """Count the batches."""
        return len(self.starts)


def draw_pass(
    block: Block, segments: SegmentsParams, batch: int, seed: int, number: int, rank: int = 0
) -> TrainingPass:
    """Draw pass `number` of a run; equal arguments, equal pass, so a resume needs no memory of it.

    The last, incomplete batch is dropped, as in the authors' second code. The draws are made on
    the host, once a pass, and moved to the device in one piece: a step draws nothing.

    Args:
        block: what is drawn from.
        segments: how it is cut.
        batch: segments of this process in a batch.
        seed, number: of the run and of the pass.
        rank: of this process among those that train together.
    """
    data = block.data
    random = generator(seed, "segments", number, *([rank] if rank else []))
    drawn = random_segments(
        data.offsets, data.lengths, segments.frames, segments.train_shift, random
    )
    order = random.permutation(len(drawn))[: block.batches * batch]
    starts, sequence = data.on_device(drawn.take(order))
    return TrainingPass(starts.view(-1, batch), sequence.view(-1, batch))
