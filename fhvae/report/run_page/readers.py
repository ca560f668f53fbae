"""What the page reads of earlier stages, held against what it will ask of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fhvae.cited import look_up
from fhvae.errors import ArtifactError
from fhvae.files.atomic import check_readable, read_json

SUMMARY, INTERVALS = "summary", "summary_intervals"
CURVE = "learning_curve.csv"
CURVE_NEEDS = ("epoch", "dev_lower_bound")  # columns


def read_metrics(path: Path) -> dict[str, Any]:
    """Read the metrics of the stage that the file is named after.

    Raises:
        ArtifactError: the file is missing or no JSON, or a value is null.
    """
    metrics = read_json(path)
    if empty := next(_nulls(metrics), None):
        raise ArtifactError(
            f"{path}: {empty} must have a value or be absent with a reason, it is null; "
            f"rerun the stage {path.stem}"
        )
    return metrics


def _nulls(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if value is None:
            yield f"{prefix}{name}"
        elif isinstance(value, Mapping):
            yield from _nulls(value, f"{prefix}{name}.")


@dataclass(frozen=True)
class Summary:
    """What one cites of a run, unrounded where its stage still has it.

    Attributes:
        values: by name.
        cited: by name: which way is better, `low` and `high`, or why there are none.
        absent: reasons by name.
    """

    values: Mapping[str, Any]
    cited: Mapping[str, Mapping[str, Any]]
    absent: Mapping[str, str]


def read_summary(folder: Path, metrics: Mapping[str, Any]) -> Summary:
    """Read the two files of the stage summary.

    They hold four decimals, a percent of which the page would round again; so values and ends
    are those of the stage that they come from.

    Args:
        folder: of all metrics.
        metrics: of all stages.

    Raises:
        ArtifactError: a file is missing, a value is null, or nothing says where it comes from.
    """
    summary = read_metrics(folder / f"{SUMMARY}.json")
    path = folder / f"{INTERVALS}.json"
    beside = read_json(path)
    cited, absent = (_part(beside, name, path) for name in ("cited", "absent"))
    values = {}
    for name, value in summary.items():
        if not isinstance(value, int | float):
            continue  # `arithmetic`, a word of how it was computed
        own = cited.get(name)
        if not isinstance(own, Mapping) or not {"from", "better"} <= set(own):
            raise ArtifactError(
                f"{path} must say of {name} where it comes from and which way is better, it does "
                "not; rerun the stage summary"
            )
        ends = {end: look_up(metrics, f"{own['from']}_{end}") for end in ("low", "high")}
        cited[name] = {**own, **{end: at for end, at in ends.items() if at is not None}}
        exact = look_up(metrics, own["from"])
        values[name] = value if exact is None else exact
    return Summary(values, cited, absent)


def _part(beside: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    found = beside.get(name)
    if not isinstance(found, Mapping):
        raise ArtifactError(f"{path} must have {name}, it has none; rerun the stage summary")
    return dict(found)


def read_curve(plots: Path, needed: Sequence[str] = CURVE_NEEDS) -> pd.DataFrame:
    """Read the learning curve, a row per epoch.

    Args:
        plots: folder that holds it.
        needed: columns of numbers that there must be.

    Raises:
        ArtifactError: the file is missing, no table, has no epoch or lacks a column.
    """
    path = plots / CURVE
    check_readable(path, "train")
    try:
        curve = pd.read_csv(path)
    except ValueError as error:  # of pandas, and of bytes that are no text
        raise _no_curve(path, " ".join(str(error).split())) from error
    if missing := [name for name in needed if name not in curve]:
        raise _no_curve(path, f"without {missing[0]}")
    if curve.empty:
        raise _no_curve(path, "no row")
    if not all(pd.api.types.is_numeric_dtype(curve[name]) for name in needed):
        raise _no_curve(path, "words among the numbers")
    return curve


def _no_curve(path: Path, found: str) -> ArtifactError:
    needed = " and ".join(CURVE_NEEDS)
    return ArtifactError(
        f"{path} must be a table of {needed}, a row per epoch, found: {found}; "
        "rerun the stage train"
    )
