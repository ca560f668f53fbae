"""Rows of many utterances in one or more `.npy` files that read as one array.

`<stem>.npy` is the first shard, and the only one up to `SHARD_BYTES`; then come
`<stem>.1.npy`, `<stem>.2.npy` and so on. An utterance never straddles two.
"""

import glob
import mmap
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

SHARD_BYTES = 2 << 30  # of rows, without the header; a longer utterance has a shard of its own


def shard_path(stem: Path, number: int) -> Path:
    """Name a shard: `train.npy`, `train.1.npy`, `train.2.npy`."""
    return stem.with_suffix(".npy" if number == 0 else f".{number}.npy")


def shard_paths(stem: Path) -> list[Path]:
    """List the shards up to the highest number there is, those missing in between included."""
    name = stem.with_suffix("").name
    numbered = re.compile(re.escape(name) + r"\.([1-9]\d*)\.npy")
    siblings = stem.parent.glob(f"{glob.escape(name)}.*.npy")
    found = [int(match[1]) for path in siblings if (match := numbered.fullmatch(path.name))]
    return [shard_path(stem, number) for number in range(max(found, default=0) + 1)]


def fits(rows: int, more: int, row_bytes: int) -> bool:
    """Tell whether a shard of `rows` takes an utterance of `more`; an empty one takes any."""
    return rows == 0 or (rows + more) * row_bytes <= SHARD_BYTES


def plan_shards(lengths: Sequence[int], row_bytes: int) -> list[range]:
    """Say which utterances will lie in which shard, by position; one shard at least.

    Args:
        lengths: of the utterances, in rows, in packing order.
        row_bytes: size of a row.
    """
    shards, first, rows = [], 0, 0
    for position, length in enumerate(lengths):
        if not fits(rows, length, row_bytes):
            shards.append(range(first, position))
            first, rows = position, 0
        rows += length
    return [*shards, range(first, len(lengths))]


class RowFile:
    """Append rows to one `.npy` file; memory is that of what is appended.

    The header is written first with room for any number of rows, and again at the end.
    """

    def __init__(self, path: Path, dtype: str, row_shape: tuple[int, ...]) -> None:
        self.rows = 0
        self._dtype = np.dtype(dtype)
        self._row_shape = row_shape
        self._file = path.open("wb")
        self._write_header()

    def _write_header(self) -> None:
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(
            self._file,
            {
                "descr": np.lib.format.dtype_to_descr(self._dtype),
                "fortran_order": False,
                "shape": (self.rows, *self._row_shape),
            },
        )

    def append(self, rows: np.ndarray) -> None:
        """Add rows, `[row, *row_shape]`."""
        self._file.write(np.ascontiguousarray(rows, self._dtype).tobytes())
        self.rows += len(rows)

    def close(self) -> None:
        """Finish the header; the file is whole on return."""
        self._write_header()
        self._file.close()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


@dataclass(frozen=True, eq=False)
class ShardedRows:
    """Rows in several `.npy` files, for readers like one read-only memory map.

    No file stays open or mapped: one is opened when rows of it are asked for. It can be
    sent to another process at no cost.

    Attributes:
        paths: of the shards.
        firsts: `[shard]`, number of each shard's first row.
        shape: of the whole, `(row, ...)`.
        dtype: of the whole.
    """

    paths: tuple[Path, ...]
    firsts: np.ndarray
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __len__(self) -> int:
        """Count the rows."""
        return self.shape[0]

    def __getitem__(self, rows: int | slice | np.ndarray) -> np.ndarray:
        """Take a row, a range of rows, or rows by number in an array of any shape.

        A range within one shard is a memory map, anything else a copy.

        Raises:
            IndexError: a row is not there.
            TypeError: several axes are indexed.
        """
        if isinstance(rows, tuple):
            raise TypeError("only rows can be indexed, not several axes")
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            return self._range(start, stop) if step == 1 else self[np.arange(start, stop, step)]
        numbers = np.asarray(rows)
        numbers = np.flatnonzero(numbers) if numbers.dtype == bool else numbers
        outside = (numbers < -len(self)) | (numbers >= len(self))
        if outside.any():
            raise IndexError(f"row {numbers[outside].flat[0]} is not one of {len(self)}")
        return self._gather(np.where(numbers < 0, numbers + len(self), numbers))

    def _range(self, start: int, stop: int) -> np.ndarray:
        if start >= stop:
            return np.empty((0, *self.shape[1:]), self.dtype)
        first, last = np.searchsorted(self.firsts, [start, stop - 1], side="right") - 1
        parts = [
            self.open(shard)[max(start - offset, 0) : stop - offset]
            for shard, offset in enumerate(self.firsts[first : last + 1].tolist(), int(first))
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _gather(self, numbers: np.ndarray) -> np.ndarray:
        found = np.empty((*numbers.shape, *self.shape[1:]), self.dtype)
        shards = np.searchsorted(self.firsts, numbers, side="right") - 1
        for shard in np.unique(shards).tolist():
            own = shards == shard
            found[own] = self.open(shard)[numbers[own] - self.firsts[shard]]
        return found

    def open(self, shard: int) -> np.ndarray:
        """Map a file."""
        mapped: np.ndarray = np.load(self.paths[shard], mmap_mode="r")
        return mapped

    def shards(self) -> Iterator[np.ndarray]:
        """Walk over the memory maps of the files."""
        for shard in range(len(self.paths)):
            yield self.open(shard)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Walk over the rows."""
        for rows in self.shards():
            yield from rows

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Copy everything into memory."""
        del copy  # it always is one
        whole = np.empty(self.shape, self.dtype if dtype is None else dtype)
        for shard, first in enumerate(self.firsts.tolist()):
            rows = self.open(shard)
            whole[first : first + len(rows)] = rows
        return whole


def copy_ranges(
    rows: "np.ndarray | ShardedRows", starts: np.ndarray, lengths: np.ndarray, target: np.ndarray
) -> None:
    """Copy ranges of rows, end to end.

    A file is mapped only while it is read from: what one reads here and there in files of
    any size does not stay in the process.

    Args:
        rows: where to read; no range may straddle two files.
        starts, lengths: `[range]`, in rows.
        target: `[sum of lengths, ...]`, overwritten, its type is converted to.

    Raises:
        ValueError: a row of `target` has another shape.
    """
    if rows.shape[1:] != target.shape[1:]:
        raise ValueError(f"rows of shape {rows.shape[1:]}, expected {target.shape[1:]}")
    ends = np.cumsum(lengths)
    places = np.stack([starts, starts + lengths, ends - lengths, ends], axis=1)
    if not isinstance(rows, ShardedRows):
        _copy_places(_mapped_anew(rows), places, target)
        return
    shards = np.searchsorted(rows.firsts, starts, side="right") - 1
    for shard in np.unique(shards).tolist():
        own = places[shards == shard]
        own[:, :2] -= rows.firsts[shard]
        _copy_places(rows.open(shard), own, target)


def _copy_places(rows: np.ndarray, places: np.ndarray, target: np.ndarray) -> None:
    """Copy row ranges, each given as first, end, first in the target, end in the target."""
    for first, end, target_first, target_end in places.tolist():
        target[target_first:target_end] = rows[first:end]


def _mapped_anew(rows: np.ndarray) -> np.ndarray:
    """Give a memory map of its own, whose pages go with it; an array in memory as it is."""
    if isinstance(rows, np.memmap) and isinstance(rows.base, mmap.mmap):
        return np.memmap(rows.filename, rows.dtype, "r", rows.offset, rows.shape)
    return rows


def open_rows(paths: Sequence[Path]) -> "np.ndarray | ShardedRows":
    """Open shards: a memory map if there is one, else an object that behaves like it.

    Raises:
        FileNotFoundError: a shard is missing.
        ValueError: a shard is short or is no array, or two do not fit together.
    """
    first: np.ndarray = np.load(paths[0], mmap_mode="r")
    if len(paths) == 1:
        return first
    counts = []
    for path in paths:
        rows = _load(path)
        if rows.dtype != first.dtype or rows.shape[1:] != first.shape[1:]:
            raise ValueError(
                f"{path.name} has rows {rows.shape[1:]} {rows.dtype}, "
                f"{paths[0].name} {first.shape[1:]} {first.dtype}"
            )
        counts.append(len(rows))
    firsts = np.cumsum([0, *counts[:-1]])
    shape = (sum(counts), *first.shape[1:])
    return ShardedRows(tuple(paths), firsts, shape, first.dtype)


def _load(path: Path) -> np.ndarray:
    """Map a shard; an error says which one."""
    try:
        mapped: np.ndarray = np.load(path, mmap_mode="r")
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    return mapped
