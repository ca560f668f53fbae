"""Vectors of recordings as files: CSV, npz or safetensors, by the end of the name."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from fhvae.errors import ArtifactError, CorpusError, one_line
from fhvae.files.atomic import new_file, quoting_of, write_csv
from fhvae.files.tensors import write_tensors

ENDS = (".csv", ".npz", ".safetensors")
DECIMALS = 7  # of a float32 in a CSV


def check_table_name(path: Path | None) -> None:
    """Raise ArtifactError if no table can have this name; None is the terminal."""
    if path is not None and path.suffix.lower() not in ENDS:
        raise ArtifactError(f"{path} must end with {', '.join(ENDS)}")
    if path is not None and path.exists() and not path.is_file():
        raise ArtifactError(f"{path} must be a file or not there yet; give another name")


def check_row_name(name: str) -> None:
    """Raise CorpusError if no table can hold a name."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise CorpusError(
            f"{name}: its name must be UTF-8 to stand in a table, it is not; rename the file"
        ) from error


def shown_name(name: str) -> str:
    """Write a name for standard output: as it is, and as one line where a terminal obeys it."""
    return one_line(name) if sys.stdout.isatty() else name


def write_vectors(
    path: Path | None,
    names: Sequence[str],
    rows: Mapping[str, np.ndarray],
    times_s: np.ndarray | None = None,
) -> None:
    """Write rows that belong to recordings.

    Args:
        path: of the file; None writes CSV to the terminal.
        names: `[row]`, the recording of each.
        rows: `[row, dimension]` by name; a column of a CSV is called after both.
        times_s: `[row]`, where rows have a time.

    In an npz or safetensors file `names` are a text per row (safetensors: a list in the metadata).
    """
    check_table_name(path)
    if path is not None and path.suffix.lower() != ".csv":
        _write_arrays(path, names, rows if times_s is None else {"times_s": times_s, **rows})
        return
    columns: dict[str, object] = {"file": list(names if path else map(shown_name, names))}
    if times_s is not None:
        columns["time_s"] = np.round(times_s, 4)
    for name, values in rows.items():
        columns |= {f"{name}_{place}": column for place, column in enumerate(values.T)}
    table = pd.DataFrame(columns)
    if path is None:
        table.to_csv(sys.stdout, index=False, lineterminator="\n", quoting=quoting_of(table))
    else:
        write_csv(path, table)


def _write_arrays(path: Path, names: Sequence[str], arrays: Mapping[str, np.ndarray]) -> None:
    if path.suffix.lower() == ".npz":
        with new_file(path) as partial, partial.open("wb") as file:
            np.savez(file, **{"names": np.array(names), **arrays})  # type: ignore[arg-type]
    else:
        write_tensors(path, arrays, {"names": json.dumps(list(names))})
