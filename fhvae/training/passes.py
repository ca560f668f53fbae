"""Passes over the training segments: fresh random starts, shuffled, cut into batches."""

from dataclasses import dataclass

from torch import Tensor

from fhvae.params.segments import SegmentsParams
from fhvae.seeds import generator
from fhvae.segments import random_segments
from fhvae.training.blocks import Block


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
