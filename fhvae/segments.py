"""Frames <-> segments: which runs of consecutive frames the model sees.

Paper-map: segmentation. All positions count frames; a start in `Segments` counts rows of
the packed array, so a segment can never cross two utterances.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Segments:
    """Where segments lie in a packed array of frames.

    Attributes:
        starts: `[segment]` int64, first row of each segment.
        utterance: `[segment]` int64, position of the utterance it was cut from.
    """

    starts: np.ndarray
    utterance: np.ndarray

    def __len__(self) -> int:
        """Count the segments."""
        return len(self.starts)

    def take(self, order: np.ndarray) -> "Segments":
        """Take segments by position, in the order given."""
        return Segments(self.starts[order], self.utterance[order])


def segment_counts(lengths: np.ndarray, segment_frames: int, shift: int) -> np.ndarray:
    """Count the segments of utterances: `floor((length - segment_frames) / shift) + 1`.

    Args:
        lengths: `[utterance]`, in frames, each at least `segment_frames`.
        segment_frames: frames in a segment.
        shift: frames between the starts of two segments on a grid.

    Returns:
        `[utterance]` int64.

    Raises:
        ValueError: an utterance is shorter than a segment.
    """
    if len(lengths) and lengths.min() < segment_frames:
        raise ValueError(f"utterance of {lengths.min()} frames, a segment has {segment_frames}")
    return (np.asarray(lengths, np.int64) - segment_frames) // shift + 1


def grid_segments(
    offsets: np.ndarray, lengths: np.ndarray, segment_frames: int, shift: int
) -> Segments:
    """Cut utterances on the fixed grid 0, shift, 2 shift, ...; a tail that does not fill is left.

    Args:
        offsets, lengths: `[utterance]`, rows of each utterance in the packed array.
        segment_frames: frames in a segment.
        shift: frames between two starts.

    Returns:
        All segments, utterance by utterance, in time order.
    """
    counts = segment_counts(lengths, segment_frames, shift)
    utterance = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return Segments(starts=offsets[utterance] + within * shift, utterance=utterance)


def random_segments(
    offsets: np.ndarray,
    lengths: np.ndarray,
    segment_frames: int,
    shift: int,
    random: np.random.Generator,
) -> Segments:
    """Draw as many segments per utterance as its grid has, starts uniform with replacement.

    Source:
        paper-map: segmentation (the authors redraw the starts at each pass).
    """
    counts = segment_counts(lengths, segment_frames, shift)
    utterance = np.repeat(np.arange(len(counts)), counts)
    last_start = lengths[utterance] - segment_frames
    within = random.integers(0, last_start + 1)
    return Segments(starts=offsets[utterance] + within, utterance=utterance)


def gather(
    frames: Float[Tensor, "row mel"], starts: Int[Tensor, " segment"], segment_frames: int
) -> Float[Tensor, "frame segment mel"]:
    """Copy segments out of the packed frames, time first: one gather, no loop.

    Frames kept in half precision become float32 here.
    """
    steps = torch.arange(segment_frames, device=starts.device)[:, None]
    rows = (starts + steps).flatten()
    found = frames.index_select(0, rows).view(segment_frames, len(starts), frames.shape[1])
    return found.float() if found.dtype == torch.float16 else found
