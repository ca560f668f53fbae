"""Passes over the training segments: fresh random starts, shuffled, cut into batches."""

from dataclasses import dataclass

from torch import Tensor

from fhvae.errors import ParamsError
from fhvae.params import SegmentsParams
from fhvae.seeds import generator
from fhvae.segments import random_segments
from fhvae.training.data import SequenceData


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
    data: SequenceData, segments: SegmentsParams, batch: int, seed: int, number: int
) -> TrainingPass:
    """Draw pass `number` of a run; equal arguments, equal pass, so a resume needs no memory of it.

    The last, incomplete batch is dropped, as in the authors' second code.

    Raises:
        ParamsError: there are fewer segments than one batch holds.
    """
    random = generator(seed, "segments", number)
    drawn = random_segments(
        data.offsets, data.lengths, segments.frames, segments.train_shift, random
    )
    batches = len(drawn) // batch
    if batches == 0:
        raise ParamsError(
            f"training.batch must be at most the {len(drawn)} segments of the train split, "
            f"got {batch}"
        )
    order = random.permutation(len(drawn))[: batches * batch]
    starts, sequence = data.on_device(drawn.take(order))
    return TrainingPass(starts.view(batches, batch), sequence.view(batches, batch))
