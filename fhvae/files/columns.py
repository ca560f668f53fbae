"""Tables that one stage leaves for another: CSV files, held against what their columns must be."""

import csv
import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fhvae.errors import ArtifactError, FhvaeError
from fhvae.files.atomic import regular

INT64 = np.iinfo(np.int64)


@dataclass(frozen=True)
class Column:
    """What every cell of a column must be.

    Attributes:
        kind: str, int or float.
        least, most: bounds of a number.
        among: the texts that it may be; None: any.
        empty: whether a cell may be empty: "" of text, NaN of a number.
        once: whether no two rows may have the same.
        optional: whether a table may do without it.
    """

    kind: type[str] | type[int] | type[float] = str
    least: float = -math.inf
    most: float = math.inf
    among: Collection[str] | None = None
    empty: bool = False
    once: bool = False
    optional: bool = False

    def value(self, cell: str) -> str | int | float:
        """Read a cell.

        Raises:
            ValueError: it is none of this column.
        """
        if cell == "" and self.empty:
            return "" if self.kind is str else math.nan
        if self.kind is str:
            if cell == "" or (self.among is not None and cell not in self.among):
                raise ValueError
            return cell
        if not cell.isascii() or "_" in cell:  # which Python takes for digits and part of a number
            raise ValueError
        number: int | float = self.kind(cell)  # type: ignore[assignment]
        known = INT64.min <= number <= INT64.max if self.kind is int else math.isfinite(number)
        if not (known and self.least <= number <= self.most):
            raise ValueError
        return number

    def __str__(self) -> str:
        """Say what a cell must be."""
        if self.among is not None:
            return f"one of {', '.join(name or 'nothing' for name in self.among)}"
        noun = {str: "text", int: "a whole number", float: "a finite number"}[self.kind]
        least = f" from {self.least:g} on" if self.least > -math.inf else ""
        most = f" up to {self.most:g}" if self.most < math.inf else ""
        return noun + least + most + (" or empty" if self.empty else "")


NAME, ANY_TEXT = Column(), Column(empty=True)
UNIQUE = Column(once=True)
COUNT = Column(int, least=0)  # what is counted is not negative
SECONDS = Column(float, least=0)  # of a length or a place in a recording
SHARE = Column(float, least=0, most=1)  # a share of a whole
MEASURE = Column(float, empty=True)  # NaN where there is none


def read_csv(
    path: Path, columns: Mapping[str, Column], stage: str, separator: str = ","
) -> pd.DataFrame:
    """Read the named columns of a table of an earlier stage, as `read_columns` does."""
    found = read_columns(path, columns, stage, separator)
    kinds = {name: object if columns[name].kind is str else columns[name].kind for name in found}
    return pd.DataFrame({name: np.array(found[name], kinds[name]) for name in found})


def read_columns(
    path: Path, columns: Mapping[str, Column], stage: str, separator: str = ","
) -> dict[str, tuple[Any, ...]]:
    """Read the named columns of a table of an earlier stage; there may be more.

    Args:
        path: of the file.
        columns: by name; an optional one is left out where the file has none.
        stage: that writes it.
        separator: of cells.

    Returns:
        The cells of each column.

    Raises:
        ArtifactError: the file is missing, no CSV, or a cell is none of its column.
    """
    names, rows = _values(path, columns, stage, separator)
    cells = list(zip(*rows, strict=True)) or [()] * len(names)
    found = dict(zip(names, cells, strict=True))
    for name, own in found.items():
        if columns[name].once and len(set(own)) < len(own):
            twice = Counter(own).most_common(1)[0][0]
            raise ArtifactError(
                f"{path}: {name} must be another in each row, {twice} occurs twice; "
                f"rerun the stage {stage}"
            )
    return found


def typed_rows(path: Path, columns: Mapping[str, Column], stage: str) -> Iterator[tuple[Any, ...]]:
    """Walk over the rows of a table, its named columns read; memory is that of a row.

    Arguments and errors are those of `read_columns`, which come when the walk comes to them; `once`
    is not looked at.
    """
    return _values(path, columns, stage, ",")[1]


def _values(
    path: Path, columns: Mapping[str, Column], stage: str, separator: str
) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
    advice = f"rerun the stage {stage}"
    optional = [name for name, one in columns.items() if one.optional]
    needed = [name for name in columns if name not in optional]
    rows = csv_rows(path, needed, ArtifactError, advice, optional, separator)
    header = next(rows)
    names = [name for name in columns if name in header]
    places = [(name, header.index(name), columns[name]) for name in names]

    def read(row: list[str], number: int) -> Iterator[str | int | float]:
        for name, place, column in places:
            try:
                yield column.value(row[place])
            except ValueError:
                raise ArtifactError(
                    f"{path} row {number}: {name} must be {column}, found {row[place]!r:.80}; "
                    f"{advice}"
                ) from None

    return names, (tuple(read(row, number)) for number, row in enumerate(rows, start=2))


def csv_rows(
    path: Path,
    columns: Collection[str],
    error: type[FhvaeError],
    advice: str,
    optional: Collection[str] = (),
    separator: str = ",",
) -> Iterator[list[str]]:
    """Walk over the header and the rows of a CSV file; pandas would fill short rows in silence.

    Args:
        path: of the file.
        columns: that must be there once each.
        error: to raise.
        advice: how its sentence ends.
        optional: columns that may be there, once.
        separator: of cells.

    Raises:
        FhvaeError: of the kind `error`: the file is missing, no CSV in UTF-8, or a row has more
            or fewer cells than the header, which is row 1.
    """
    rows = _lines(path, error, advice, separator)
    header = next(rows, None)
    if header is None:
        raise error(f"{path} must have a header line, it is empty; {advice}")
    for column in (*columns, *(name for name in optional if name in header)):
        if header.count(column) != 1:
            raise error(
                f"{path}: column {column} must be there once, found {', '.join(header):.80}; "
                f"needed are {', '.join(columns)}; {advice}"
            )
    yield header
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise error(
                f"{path} row {number}: must have {len(header)} cells like the header, "
                f"got {len(row)} (texts with commas stand in double quotes); {advice}"
            )
        yield row


def _lines(path: Path, error: type[FhvaeError], advice: str, separator: str) -> Iterator[list[str]]:
    try:
        with regular(path).open(encoding="utf-8-sig", newline="") as file:
            yield from (row for row in csv.reader(file, delimiter=separator, strict=True) if row)
    except FileNotFoundError as cause:
        raise error(f"{path} must exist; {advice}") from cause
    except OSError as cause:
        raise error(f"{path} must be a readable file: {cause.strerror}") from cause
    except (UnicodeDecodeError, csv.Error) as cause:
        raise error(f"{path} must be a CSV file in UTF-8: {cause}; {advice}") from cause
    except ValueError as cause:  # NUL in its name
        raise error(f"{path} must be a file: {cause}; {advice}") from cause
