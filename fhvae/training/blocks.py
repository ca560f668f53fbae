"""Blocks of sequences: what the table of mu2 has rows for, and what is in memory.

Flat training has one block, all sequences, for ever. Hierarchical sampling draws K of them anew
for each pass; the next block is read by a thread while the present one is trained on
(paper-map: hierarchical-sampling). Processes that train together share the sequences of a
block (docs/decisions/0015-several-processes.md); the table is whole in each.
"""

import heapq
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from fhvae.errors import ArtifactError, ParamsError, TrainingError
from fhvae.params.segments import SegmentsParams
from fhvae.seeds import generator
from fhvae.training.data import SequenceData, Sequences
from fhvae.training.world import World

DEVICE_SHARE = 0.8  # of the free device memory that frames may take


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
        with torch.cuda.stream(self._stream):  # beside the stream that trains; no-op on a CPU
            if not self.hierarchical and self._world.size == 1:
                data = self._sequences.load(self._device)
            else:
                rows = shares[self._world.rank]
                data = self._sequences.load_some(chosen[rows], rows, self.rows, self._device)
        if self._stream is not None:
            self._stream.synchronize()
        least = min(int(self._counts[chosen[share]].sum()) for share in shares)
        return Block(number, data, least // self._batch)

    def _shares(self, counts: np.ndarray) -> list[np.ndarray]:
        """Share rows among the processes so that all have nearly the same number of segments.

        The longest first, each to whoever has least; equal counts, equal shares.
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
