"""Packed samples -> packed frames: computed in worker processes, normalized in a second pass.

Memory is that of a few utterances, however large the corpus.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from fhvae.artifacts import Packed, PackedWriter, read_packed
from fhvae.errors import CorpusError
from fhvae.features.fbank import frame_count, log_mel
from fhvae.features.normalize import Normalizer
from fhvae.parallel import map_in_order
from fhvae.params import FbankParams

CHUNK_FRAMES = 1 << 16


@dataclass(frozen=True)
class Clip:
    """Where the samples of one utterance lie in a packed file.

    Attributes:
        stem: of the packed file.
        offset, length: in samples.
        frames: that will be made of it.
    """

    stem: Path
    utterance_id: str
    offset: int
    length: int
    frames: int

    def samples(self) -> np.ndarray:
        """Copy the samples, `[sample]`, out of the memory-mapped file."""
        rows = np.load(self.stem.with_suffix(".npy"), mmap_mode="r")
        return np.array(rows[self.offset : self.offset + self.length])


@dataclass(frozen=True)
class Selection:
    """The utterances of a split, sorted by id: long enough for one segment, or dropped."""

    split: str
    kept: tuple[Clip, ...]
    dropped: tuple[Clip, ...]

    @property
    def frames(self) -> int:
        """Count the frames that are kept."""
        return sum(clip.frames for clip in self.kept)


def select_clips(stem: Path, hop_ms: float, segment_frames: int) -> Selection:
    """Choose the utterances of the packed file `stem` (its name is the split) by their length.

    Raises:
        CorpusError: none is long enough.
    """
    packed = read_packed(stem)
    clips = sorted(
        (
            Clip(stem, utterance_id, int(offset), int(length), frame_count(int(length), hop_ms))
            for utterance_id, offset, length in zip(
                packed.utterance_ids, packed.offsets, packed.lengths, strict=True
            )
        ),
        key=lambda clip: clip.utterance_id,
    )
    kept = tuple(clip for clip in clips if clip.frames >= segment_frames)
    if not kept:
        longest = max((clip.frames for clip in clips), default=0)
        raise CorpusError(
            f"split {stem.name} must have an utterance of at least segments.frames="
            f"{segment_frames} frames, the longest of its {len(clips)} has {longest}"
        )
    dropped = tuple(clip for clip in clips if clip.frames < segment_frames)
    return Selection(split=stem.name, kept=kept, dropped=dropped)


def dropped_table(selections: Sequence[Selection]) -> pd.DataFrame:
    """List the dropped utterances: utterance_id, split, frames."""
    rows = [
        (clip.utterance_id, selection.split, clip.frames)
        for selection in selections
        for clip in selection.dropped
    ]
    return pd.DataFrame(rows, columns=["utterance_id", "split", "frames"])


def write_log_mel(stem: Path, clips: Sequence[Clip], params: FbankParams) -> None:
    """Compute the log-mel frames of clips in worker processes; pack them in the order given."""
    frames = map_in_order(partial(_clip_frames, params), clips, f"log-mel {stem.name}")
    with PackedWriter(stem, "float32", (params.mels,)) as writer:
        for clip, rows in zip(clips, frames, strict=True):
            writer.append(clip.utterance_id, rows)


def _clip_frames(params: FbankParams, clip: Clip) -> np.ndarray:
    return log_mel(clip.samples(), params)


def write_normalized(stem: Path, raw: Packed, normalizer: Normalizer) -> None:
    """Normalize packed frames utterance by utterance."""
    with PackedWriter(stem, "float32", raw.rows.shape[1:]) as writer:
        for utterance_id, frames in raw.items():
            writer.append(utterance_id, normalizer.apply(frames))


def frame_chunks(packed: Packed) -> Iterator[np.ndarray]:
    """Walk over all frames of a packed file, `[frame, mel]` at a time."""
    for start in range(0, len(packed.rows), CHUNK_FRAMES):
        yield packed.rows[start : start + CHUNK_FRAMES]
