"""Rows of many utterances in one or more `.npy` files that read as one array.

`<stem>.npy` is the first shard, and the only one up to `SHARD_BYTES`; then come
`<stem>.1.npy`, `<stem>.2.npy` and so on. An utterance never straddles two.
"""

import glob
import math
import mmap
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from fhvae.errors import ArtifactError, ParamsError
from fhvae.files.atomic import check_readable

SHARD_BYTES = 2 << 30  # of rows, without the header; a longer utterance has a shard of its own
FLOAT16_MOST = float(np.finfo(np.float16).max)
WRITER = "that writes it"  # for messages: what lies here was written by more than one stage
HEADER_BYTES = 192  # at most, of what `RowFile` writes
# Version 1.0 of numpy's format, as numpy writes it for rows of numbers in the order of C.
HEADER = re.compile(
    rb"(?P<magic>\x93NUMPY\x01\x00(?P<length>..))"
    rb"\{'descr': '(?P<type>\|i1|[<>]i[248]|[<>]f[248])', 'fortran_order': False, "
    rb"'shape': \((?P<shape>\d{1,15}(?:, \d{1,15})*),?\), \} *\n",
    re.DOTALL,
)


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
        """Add rows, `[row, *row_shape]`.

        Raises:
            ParamsError: float16 cannot hold one of their numbers.
            ArtifactError: one is NaN or infinite.
        """
        with np.errstate(over="ignore"):  # told below, in words
            stored = np.ascontiguousarray(rows, self._dtype)
        if self._dtype == np.float16 and np.isinf(stored).any() and np.isfinite(rows).all():
            raise ParamsError(
                f"numbers must be within {FLOAT16_MOST:g} of 0 to be kept in half precision, found "
                f"{np.abs(rows).max():g}; set fbank.store to float32"
            )
        check_finite(stored, "rows to be written")
        self._file.write(stored.tobytes())
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
        return open_npy(self.paths[shard])

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
        ArtifactError: a number is NaN or infinite.
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


def source_of(rows: "np.ndarray | ShardedRows") -> str:
    """Name the file that rows come from, or the first of several; for messages."""
    if isinstance(rows, ShardedRows):
        return str(rows.paths[0])
    return str(getattr(rows, "filename", None) or "rows in memory")


def _copy_places(rows: np.ndarray, places: np.ndarray, target: np.ndarray) -> None:
    """Copy row ranges, each given as first, end, first in the target, end in the target."""
    for first, end, target_first, target_end in places.tolist():
        target[target_first:target_end] = rows[first:end]
        check_finite(target[target_first:target_end], source_of(rows))


def _mapped_anew(rows: np.ndarray) -> np.ndarray:
    """Give a memory map of its own, whose pages go with it; an array in memory as it is."""
    if isinstance(rows, np.memmap) and isinstance(rows.base, mmap.mmap):
        return np.memmap(rows.filename, rows.dtype, "r", rows.offset, rows.shape)
    return rows


def open_rows(paths: Sequence[Path]) -> "np.ndarray | ShardedRows":
    """Open shards: a memory map if there is one, else an object that behaves like it.

    Raises:
        ArtifactError: a shard is missing or broken, or two do not fit together.
    """
    first = open_npy(paths[0])
    if len(paths) == 1:
        return first
    counts = []
    for path in paths:
        rows = open_npy(path)
        if rows.dtype != first.dtype or rows.shape[1:] != first.shape[1:]:
            raise ArtifactError(
                f"shards must have rows of one kind, {path} has {rows.shape[1:]} {rows.dtype}, "
                f"{paths[0].name} {first.shape[1:]} {first.dtype}; rerun the stage that writes them"
            )
        counts.append(len(rows))
    firsts = np.cumsum([0, *counts[:-1]])
    shape = (sum(counts), *first.shape[1:])
    return ShardedRows(tuple(paths), firsts, shape, first.dtype)


def open_npy(path: Path) -> np.ndarray:
    """Map a `.npy` file that `RowFile` wrote.

    `np.load` takes more: pickles, archives, any type, any order of axes, bytes after the rows.

    Raises:
        ArtifactError: the file is missing or is not one of ours from the first to the last byte.
    """
    check_readable(path, WRITER)
    with path.open("rb") as file:
        found = HEADER.match(file.read(HEADER_BYTES))
        size = os.fstat(file.fileno()).st_size
    header = len(found[0]) if found else 0
    if not found or header != len(found["magic"]) + int.from_bytes(found["length"], "little"):
        raise ArtifactError(
            f"{path} must begin with the header of an array of numbers, it does not; "
            f"rerun the stage {WRITER}"
        )
    dtype, shape = np.dtype(found["type"].decode()), tuple(map(int, found["shape"].split(b",")))
    needed = header + dtype.itemsize * math.prod(shape)
    if size != needed:
        raise ArtifactError(
            f"{path} must have {needed} bytes for the {shape[0]} rows that it tells of, it has "
            f"{size}; rerun the stage {WRITER}"
        )
    return np.memmap(path, dtype, "r", header, shape)


def check_finite(rows: np.ndarray, where: str) -> np.ndarray:
    """Give rows back in which no number is NaN or infinite.

    Args:
        rows: of any type and shape.
        where: for the message.

    Raises:
        ArtifactError: one is.
    """
    if rows.dtype.kind == "f" and not np.isfinite(rows).all():
        found = rows[~np.isfinite(rows)][0]
        raise ArtifactError(
            f"{where}: every number must be finite, found {found}; rerun the stage {WRITER}"
        )
    return rows
