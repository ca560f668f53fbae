"""Which utterances of a packed file become frames, and how packed frames are walked over."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from fhvae.errors import ArtifactError, CorpusError
from fhvae.features.fbank import frame_count
from fhvae.files.packed import SAMPLES, Packed, read_packed
from fhvae.files.shards import ShardedRows, open_npy, shard_path

CHUNK_FRAMES = 1 << 16  # read at a time: bounds memory


@dataclass(frozen=True, slots=True)
class Clip:
    """Where the samples of one utterance lie in a packed file.

    Attributes:
        stem: of the packed file.
        offset, length: in samples, within its shard.
        frames: that will be made of it.
        shard: number of the `.npy` that holds them.
    """

    stem: Path
    utterance_id: str
    offset: int
    length: int
    frames: int
    shard: int = 0

    @classmethod
    def of(cls, stem: Path, packed: Packed, position: int, frames: int) -> "Clip":
        """Find the utterance at `position` of the packed file `stem`."""
        place, length = packed.place(position), int(packed.lengths[position])
        utterance_id = packed.utterance_ids[position]
        return cls(stem, utterance_id, place.offset, length, frames, place.shard)

    def samples(self) -> np.ndarray:
        """Copy the samples, `[sample]`, out of the memory-mapped file.

        Raises:
            ArtifactError: the file ends before they do.
        """
        path = shard_path(self.stem, self.shard)
        samples = np.array(open_npy(path)[self.offset : self.offset + self.length])
        if len(samples) != self.length:
            raise ArtifactError(
                f"utterance {self.utterance_id}: {path} must hold {self.length} samples from "
                f"{self.offset} on, it has {len(samples)}; rerun the stage that writes it"
            )
        return samples


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
    packed = read_packed(stem, SAMPLES)
    clips = sorted(
        (
            Clip.of(stem, packed, position, frame_count(length, hop_ms))
            for position, length in enumerate(packed.lengths.tolist())
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


def frame_chunks(arrays: Iterable[np.ndarray | ShardedRows]) -> Iterator[np.ndarray]:
    """Walk over all frames, `[frame, mel]` at a time.

    The chunks, and so every digit of what is summed over them, do not depend on where the
    arrays begin and end.
    """
    waiting: list[np.ndarray] = []
    missing = CHUNK_FRAMES
    for rows in arrays:
        start = 0
        while start < len(rows):
            part = rows[start : start + missing]
            waiting.append(part if len(part) == CHUNK_FRAMES else np.array(part))
            start += len(part)
            missing -= len(part)
            if missing == 0:
                yield _joined(waiting)
                waiting, missing = [], CHUNK_FRAMES
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
