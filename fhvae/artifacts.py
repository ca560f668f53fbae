"""Files between stages, written whole or not at all.

Arrays of many utterances are *packed*: one `.npy` holding all rows end to end and one
`.csv` index (utterance_id, offset, length) beside it, memory-mapped by readers. Ten
thousand small files cost DVC seconds to minutes; two cost nothing.
"""

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pandas as pd

from fhvae.errors import ArtifactError

INDEX_COLUMNS = ("utterance_id", "offset", "length")
METRIC_DECIMALS = 6


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a temporary sibling to write to; rename it to `path` if nothing was raised."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o644)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a temporary sibling folder; rename it to `path` (replacing it) if nothing was raised."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield partial
        partial.chmod(0o755)
        if path.exists():
            shutil.rmtree(path)
        os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write nested values with sorted keys; refuses NaN and infinity."""
    with new_file(path) as partial:
        text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")


def write_metrics(path: Path, metrics: Mapping[str, Any]) -> None:
    """Write a stage's metrics, floats rounded to six decimals.

    Raises:
        ArtifactError: a value is NaN or infinite; the message names its key.
    """
    write_json(path, {key: _rounded(value, key) for key, value in metrics.items()})


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


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, with the line ends of Unix on every system."""
    with new_file(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")


@dataclass(frozen=True)
class Packed:
    """The rows of many utterances, end to end.

    Attributes:
        rows: `[row, ...]`, usually a read-only memory map.
        utterance_ids: in packing order.
        offsets, lengths: `[utterance]`, in rows.
    """

    rows: np.ndarray
    utterance_ids: tuple[str, ...]
    offsets: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        """Count the utterances."""
        return len(self.utterance_ids)

    def __getitem__(self, position: int) -> np.ndarray:
        """Take the rows of the utterance at `position`, without a copy."""
        start = int(self.offsets[position])
        return self.rows[start : start + int(self.lengths[position])]

    def items(self) -> Iterator[tuple[str, np.ndarray]]:
        """Walk over (utterance_id, rows) in packing order."""
        for position, utterance_id in enumerate(self.utterance_ids):
            yield utterance_id, self[position]


class PackedWriter:
    """Append utterances to `<stem>.npy`; close writes `<stem>.csv`.

    Memory stays that of one utterance: the array's header is written first with room
    for any number of rows, and again at the end with the final shape.
    """

    def __init__(self, stem: Path, dtype: str, row_shape: tuple[int, ...] = ()) -> None:
        stem.parent.mkdir(parents=True, exist_ok=True)
        self._stem = stem
        self._dtype = np.dtype(dtype)
        self._row_shape = row_shape
        self._index: list[tuple[str, int, int]] = []
        self._rows = 0
        self._file = stem.with_suffix(".npy").open("wb")
        self._write_header()

    def _write_header(self) -> None:
        self._file.seek(0)
        np.lib.format.write_array_header_1_0(
            self._file,
            {
                "descr": np.lib.format.dtype_to_descr(self._dtype),
                "fortran_order": False,
                "shape": (self._rows, *self._row_shape),
            },
        )

    def append(self, utterance_id: str, rows: np.ndarray) -> None:
        """Add the rows of one utterance, `[row, *row_shape]`."""
        if rows.shape[1:] != self._row_shape:
            raise ValueError(f"{utterance_id}: rows {rows.shape[1:]}, expected {self._row_shape}")
        self._file.write(np.ascontiguousarray(rows, self._dtype).tobytes())
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
        """Finish the header and, if nothing was raised, write the index."""
        if kind is None:
            self._write_header()
            index = pd.DataFrame(self._index, columns=list(INDEX_COLUMNS))
            write_csv(self._stem.with_suffix(".csv"), index)
        self._file.close()


def read_packed(stem: Path) -> Packed:
    """Memory-map a packed array and read its index.

    Raises:
        ArtifactError: a file is missing, or index and array disagree.
    """
    array_path, index_path = stem.with_suffix(".npy"), stem.with_suffix(".csv")
    try:
        rows = np.load(array_path, mmap_mode="r")
        index = pd.read_csv(index_path, dtype={"utterance_id": str}, keep_default_na=False)
    except FileNotFoundError as error:
        raise ArtifactError(
            f"{error.filename} must exist; rerun the stage that writes it"
        ) from error
    except ValueError as error:
        raise ArtifactError(f"{array_path} cannot be read ({error}); rerun its stage") from error
    if tuple(index.columns) != INDEX_COLUMNS or int(index["length"].sum()) != len(rows):
        raise ArtifactError(f"{index_path} must describe the {len(rows)} rows of {array_path.name}")
    return Packed(
        rows=rows,
        utterance_ids=tuple(index["utterance_id"]),
        offsets=index["offset"].to_numpy(np.int64),
        lengths=index["length"].to_numpy(np.int64),
    )
