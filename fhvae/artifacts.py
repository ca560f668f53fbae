"""Files between stages, written whole or not at all.

Arrays of many utterances are *packed*: one `.npy` holding all rows end to end and one
`.csv` index (utterance_id, offset, length) beside it, memory-mapped by readers. Ten
thousand small files cost DVC seconds to minutes; two cost nothing. A large array has
several `.npy` (fhvae/shards.py); offsets in the index count through all of them.
"""

import csv
import hashlib
import json
import math
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pandas as pd

from fhvae.errors import ArtifactError
from fhvae.portable import arithmetic
from fhvae.shards import RowFile, ShardedRows, fits, open_rows, shard_path, shard_paths

INDEX_COLUMNS = ("utterance_id", "offset", "length")
METRIC_DECIMALS = 6


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a temporary sibling to write to; rename it to `path` if nothing was raised.

    Its mode is what the umask leaves, also where a library writes with another one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    partial.touch(exist_ok=False)
    mode = stat.S_IMODE(partial.stat().st_mode)
    try:
        yield partial
        partial.chmod(mode)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _partial(path: Path) -> Path:
    """Name a temporary sibling; `tempfile` would make it for its owner only."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary sibling folder; rename it to `path` (replacing it) if nothing was raised."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(path)
    partial.mkdir()
    try:
        yield partial
        if path.exists():
            shutil.rmtree(path)
        os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def move_folder(source: Path, target: Path) -> None:
    """Put a finished folder in its place, replacing what is there.

    A kill at any moment leaves one of the two whole.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.stat().st_dev == target.parent.stat().st_dev:
        if target.exists():
            shutil.rmtree(target)
        os.replace(source, target)
        return
    with new_folder(target) as partial:
        shutil.copytree(source, partial, dirs_exist_ok=True)
    shutil.rmtree(source)


def link_folder(source: Path, target: Path) -> None:
    """Give the files of a folder a second name, replacing what is there; its bytes, no room.

    Where the file system knows no hard links they are copied. Files of stages are never written
    into, only replaced, so neither folder changes by what happens to the other.
    """
    with new_folder(target) as partial:
        shutil.copytree(source, partial, dirs_exist_ok=True, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(os.path.realpath(source), target)  # of a link to DVC's cache, what it points to
    except OSError:
        shutil.copyfile(source, target)


def file_digest(path: Path) -> str:
    """Hash a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unfinished_work() -> Path:
    """Name the folder of what killed runs go on from: `FHVAE_CKPT_DIR`, else checkpoints."""
    return Path(os.environ.get("FHVAE_CKPT_DIR") or "checkpoints")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write nested values with sorted keys; refuses NaN and infinity."""
    with new_file(path) as partial:
        text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")


def write_metrics(path: Path, metrics: Mapping[str, Any]) -> None:
    """Write a stage's metrics, floats rounded to six decimals.

    Figures that another processor may not give bit for bit say so in `arithmetic`.

    Raises:
        ArtifactError: a value is NaN or infinite; the message names its key.
    """
    rounded = {key: _rounded(value, key) for key, value in metrics.items()}
    write_json(path, rounded | ({"arithmetic": kind} if (kind := arithmetic()) else {}))


def _rounded(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(inner, f"{key}.{name}") for name, inner in value.items()}
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, float | np.floating):
        if not math.isfinite(value):
            raise ArtifactError(f"metric {key} must be a finite number, got {value}")
        return round(float(value), METRIC_DECIMALS)
    if isinstance(value, np.integer):
        return int(value)
    return value


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object written by an earlier stage."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} must exist; rerun the stage that writes it") from error
    except ValueError as error:
        raise ArtifactError(f"{path} is not a JSON object ({error}); rerun its stage") from error
    if not isinstance(value, dict):
        raise ArtifactError(f"{path} is not a JSON object but {value!r:.40}; rerun its stage")
    return value


def check_readable(path: Path, stage: str) -> None:
    """Tell a file that is missing from one that may not be read, which safetensors does not.

    Args:
        path: of the file.
        stage: that writes it.

    Raises:
        ArtifactError: it is one of the two.
    """
    try:
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise ArtifactError(f"{path} must exist; rerun the stage {stage}") from error
    except OSError as error:
        raise ArtifactError(
            f"{path} must be readable, it is not ({error.strerror}); see to its owner and mode"
        ) from error


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, with the line ends of Unix on every system.

    The csv module before Python 3.11.9 and 3.12.3 puts no quotes around a lone carriage return,
    which a reader then takes for the end of the row: a table that holds one has all texts quoted.
    """
    texts = table.select_dtypes(exclude="number")
    holds_return = any("\r" in str(cell) for name in texts for cell in texts[name])
    quoting = csv.QUOTE_NONNUMERIC if holds_return else csv.QUOTE_MINIMAL
    with new_file(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n", quoting=quoting)


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
        """Take the rows of the utterance at `position`: without a copy, but float16 as float32."""
        start = int(self.offsets[position])
        rows = self.rows[start : start + int(self.lengths[position])]
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

    def items(self) -> Iterator[tuple[str, np.ndarray]]:
        """Walk over (utterance_id, rows) in packing order."""
        for position, utterance_id in enumerate(self.utterance_ids):
            yield utterance_id, self[position]

    def place(self, position: int) -> Place:
        """Find the shard of the utterance at `position`."""
        offset = int(self.offsets[position])
        if not isinstance(self.rows, ShardedRows):
            return Place(0, offset)
        shard = int(np.searchsorted(self.rows.firsts, offset, side="right")) - 1
        return Place(shard, offset - int(self.rows.firsts[shard]))


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


def read_packed(stem: Path) -> Packed:
    """Memory-map a packed array and read its index.

    Raises:
        ArtifactError: a file is missing or short, or index and array disagree.
    """
    paths, index_path = shard_paths(stem), stem.with_suffix(".csv")
    try:
        rows = open_rows(paths)
        index = pd.read_csv(index_path, dtype={"utterance_id": str}, keep_default_na=False)
    except FileNotFoundError as error:
        raise ArtifactError(
            f"{error.filename} must exist; rerun the stage that writes it"
        ) from error
    except ValueError as error:
        raise ArtifactError(f"{paths[0]} cannot be read ({error}); rerun its stage") from error
    if tuple(index.columns) != INDEX_COLUMNS or int(index["length"].sum()) != len(rows):
        shards = f"the {len(paths)} shards {paths[0].name} to " if len(paths) > 1 else ""
        raise ArtifactError(
            f"{index_path} must describe the {len(rows)} rows of {shards}{paths[-1].name}"
            f"{_described(index)}; rerun its stage"
        )
    return Packed(
        rows=rows,
        utterance_ids=tuple(index["utterance_id"]),
        offsets=index["offset"].to_numpy(np.int64),
        lengths=index["length"].to_numpy(np.int64),
    )


def _described(index: pd.DataFrame) -> str:
    if tuple(index.columns) != INDEX_COLUMNS:
        return f", its columns are {', '.join(index.columns)}"
    return f", it describes {index['length'].sum()}"
