"""Rows of many utterances in one file, found by utterance.

Arrays of many utterances are *packed*: one `.npy` holding all rows end to end and one
`.csv` index (utterance_id, offset, length) beside it, memory-mapped by readers. Ten
thousand small files cost DVC seconds to minutes; two cost nothing. A large array has
several `.npy` (fhvae/files/shards.py); offsets in the index count through all of them.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pandas as pd

from fhvae.errors import ArtifactError
from fhvae.files.atomic import write_csv
from fhvae.files.columns import COUNT, UNIQUE, read_columns
from fhvae.files.shards import (
    WRITER,
    RowFile,
    ShardedRows,
    check_finite,
    fits,
    open_rows,
    shard_path,
    shard_paths,
    source_of,
)

INDEX = {"utterance_id": UNIQUE, "offset": COUNT, "length": COUNT}
INDEX_COLUMNS = tuple(INDEX)


@dataclass(frozen=True)
class RowKind:
    """What the rows of a packed array are.

    Attributes:
        name: in words.
        dtypes: that they may be stored in.
        axes: of a row, their lengths; None: any.
    """

    name: str
    dtypes: tuple[str, ...]
    axes: tuple[int | None, ...]

    def takes(self, rows: np.ndarray | ShardedRows) -> bool:
        """Tell whether rows are of this kind."""
        row = rows.shape[1:]
        fits = len(row) == len(self.axes) and all(
            length in (None, own) for length, own in zip(self.axes, row, strict=True)
        )
        return fits and str(rows.dtype) in self.dtypes

    def __str__(self) -> str:
        """Say what rows must be."""
        axes = ["row", *("any" if length is None else str(length) for length in self.axes)]
        return f"{self.name}, [{', '.join(axes)}] {' or '.join(self.dtypes)}"


SAMPLES = RowKind("samples", ("int16",), ())
FRAMES = RowKind("frames", ("float32", "float16"), (None,))
TRACK = RowKind("F0", ("float64",), ())
VECTORS = RowKind("vectors", ("float32",), (None,))


def frames_of(mels: int) -> RowKind:
    """Ask for frames of so many mel bands."""
    return replace(FRAMES, axes=(mels,))


@dataclass(frozen=True)
class Place:
    """Where an utterance begins: which shard, and which row of it."""

    shard: int
    offset: int


@dataclass(frozen=True)
class Packed:
    """The rows of many utterances, end to end.

    Attributes:
        rows: `[row, ...]`, usually a read-only memory map, or several that read as one; of
            the type that is on disk.
        utterance_ids: in packing order.
        offsets, lengths: `[utterance]`, in rows.
    """

    rows: np.ndarray | ShardedRows
    utterance_ids: tuple[str, ...]
    offsets: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        """Count the utterances."""
        return len(self.utterance_ids)

    def __getitem__(self, position: int) -> np.ndarray:
        """Take the rows of the utterance at `position`: without a copy, but float16 as float32.

        Raises:
            ArtifactError: a number is NaN or infinite.
        """
        start = int(self.offsets[position])
        return self._sound(
            self.rows[start : start + int(self.lengths[position])], self.utterance_ids[position]
        )

    def take(self, numbers: np.ndarray) -> np.ndarray:
        """Copy rows by their numbers, an array of any shape; types and errors as of one utterance.

        Args:
            numbers: `[...]`, counted through all utterances.

        Returns:
            `[..., *row]`.
        """
        return self._sound(np.asarray(self.rows[numbers]), "of many")

    def _sound(self, rows: np.ndarray, utterance_id: str) -> np.ndarray:
        check_finite(rows, f"{source_of(self.rows)}, utterance {utterance_id}")
        return rows.astype(np.float32) if rows.dtype == np.float16 else rows

    def __contains__(self, utterance_id: object) -> bool:
        """Tell whether an utterance is there."""
        return utterance_id in self._positions

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {utterance_id: place for place, utterance_id in enumerate(self.utterance_ids)}

    def position(self, utterance_id: str) -> int:
        """Find where in packing order an utterance is.

        Raises:
            ArtifactError: it is not there.
        """
        try:
            return self._positions[utterance_id]
        except KeyError:
            raise ArtifactError(
                f"utterance {utterance_id} must be among the {len(self)} packed ones and is not; "
                "rerun the stage that writes them"
            ) from None

    def of(self, utterance_id: str) -> np.ndarray:
        """Take the rows of an utterance; errors as `position`."""
        return self[self.position(utterance_id)]

    def items(self, positions: Iterable[int] | None = None) -> Iterator[tuple[str, np.ndarray]]:
        """Walk over (utterance_id, rows), of all in packing order or of those at `positions`."""
        for position in range(len(self)) if positions is None else positions:
            yield self.utterance_ids[position], self[position]

    def place(self, position: int) -> Place:
        """Find the shard of the utterance at `position`."""
        offset = int(self.offsets[position])
        if not isinstance(self.rows, ShardedRows):
            return Place(0, offset)
        shard = int(np.searchsorted(self.rows.firsts, offset, side="right")) - 1
        return Place(shard, offset - int(self.rows.firsts[shard]))


def sorted_positions(utterance_ids: Sequence[str]) -> list[int]:
    """Order positions by utterance id."""
    return sorted(range(len(utterance_ids)), key=lambda position: utterance_ids[position])


class PackedWriter:
    """Append utterances to `<stem>.npy` and its further shards; close writes `<stem>.csv`.

    Memory is that of one utterance. Old shards of the same name are removed.
    """

    def __init__(self, stem: Path, dtype: str, row_shape: tuple[int, ...] = ()) -> None:
        stem.parent.mkdir(parents=True, exist_ok=True)
        for path in shard_paths(stem):
            path.unlink(missing_ok=True)
        self._stem = stem
        self._dtype = dtype
        self._row_shape = row_shape
        self._row_bytes = np.dtype(dtype).itemsize * math.prod(row_shape)
        self._index: list[tuple[str, int, int]] = []
        self._rows = 0
        self._shards = 0
        self._open_shard()

    def _open_shard(self) -> None:
        path = shard_path(self._stem, self._shards)
        self._file = RowFile(path, self._dtype, self._row_shape)
        self._shards += 1

    def append(self, utterance_id: str, rows: np.ndarray) -> None:
        """Add the rows of one utterance, `[row, *row_shape]`."""
        if rows.shape[1:] != self._row_shape:
            raise ValueError(f"{utterance_id}: rows {rows.shape[1:]}, expected {self._row_shape}")
        if not fits(self._file.rows, len(rows), self._row_bytes):
            self._file.close()
            self._open_shard()
        self._file.append(rows)
        self._index.append((utterance_id, self._rows, len(rows)))
        self._rows += len(rows)

    def __enter__(self) -> Self:
        """Begin packing."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the last shard and, if nothing was raised, write the index."""
        self._file.close()
        if kind is None:
            write_index(self._stem, pd.DataFrame(self._index, columns=list(INDEX_COLUMNS)))


def write_index(stem: Path, index: pd.DataFrame) -> None:
    """Write `<stem>.csv`, which makes the shards beside it a packed array."""
    write_csv(stem.with_suffix(".csv"), index)


def packed_files(stem: Path) -> list[Path]:
    """List the files of a packed array: its shards, then its index."""
    return [*shard_paths(stem), stem.with_suffix(".csv")]


def read_packed(stem: Path, kind: RowKind | None = None) -> Packed:
    """Memory-map a packed array and read its index.

    Args:
        stem: of its files.
        kind: what the rows must be; None: any numbers.

    Raises:
        ArtifactError: a file is missing or broken, or index and array disagree: utterances must
            lie end to end, in the order of the index, none of them in two shards.
    """
    paths, index_path = shard_paths(stem), stem.with_suffix(".csv")
    rows = open_rows(paths)
    if kind is not None and not kind.takes(rows):
        raise ArtifactError(
            f"{paths[0]} must hold {kind}, it holds {list(rows.shape)} {rows.dtype}; "
            f"rerun the stage {WRITER}"
        )
    ids, *numbers = read_columns(index_path, INDEX, WRITER).values()
    offsets, lengths = (np.array(own, np.int64) for own in numbers)
    described = sum(numbers[1])  # which int64 need not hold
    if described != len(rows):
        shards = f"the {len(paths)} shards {paths[0].name} to " if len(paths) > 1 else ""
        raise ArtifactError(
            f"{index_path} must describe the {len(rows)} rows of {shards}{paths[-1].name}, it "
            f"describes {described}; rerun the stage {WRITER}"
        )
    firsts = rows.firsts[1:] if isinstance(rows, ShardedRows) else np.empty(0, np.int64)
    if (wrong := np.flatnonzero(offsets != np.cumsum(lengths) - lengths)).size:
        raise ArtifactError(
            f"{index_path}: utterance {ids[wrong[0]]} must begin where the one "
            f"before it ends, it begins at row {offsets[wrong[0]]}; rerun the stage {WRITER}"
        )
    if not np.isin(firsts, offsets).all():
        raise ArtifactError(
            f"{index_path}: no utterance may lie in two of the {len(paths)} shards of "
            f"{paths[0].name}, one does; rerun the stage {WRITER}"
        )
    return Packed(rows, ids, offsets, lengths)
