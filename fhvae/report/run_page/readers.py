"""What the page reads of earlier stages, held against what it will ask of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fhvae.cited import look_up
from fhvae.errors import ArtifactError
from fhvae.files.atomic import read_json
from fhvae.files.columns import MEASURE, Column, read_csv
from fhvae.files.metrics import read_metrics

SUMMARY, INTERVALS = "summary", "summary_intervals"
CURVE = "learning_curve.csv"
CURVE_COLUMNS = {  # of every reader; epochs are counted from 1 on
    "epoch": Column(int, least=1),
    "dev_lower_bound": Column(float),
}


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
    beside = read_json(path, "summary")
    cited, absent = (_part(beside, name, path) for name in ("cited", "absent"))
    values = {}
    for name, value in summary.items():
        if not _is_number(value):
            continue  # `arithmetic`, a word of how it was computed
        own = cited.get(name)
        words = own.keys() & {"from", "better"} if isinstance(own, Mapping) else set()
        if own is None or not all(isinstance(own[key], str) for key in words) or len(words) < 2:
            raise ArtifactError(
                f"{path} must say of {name} where it comes from and which way is better, it does "
                "not; rerun the stage summary"
            )
        ends = {end: look_up(metrics, f"{own['from']}_{end}") for end in ("low", "high")}
        cited[name] = {**own, **{end: at for end, at in ends.items() if _is_number(at)}}
        exact = look_up(metrics, own["from"])
        values[name] = exact if _is_number(exact) else value
    return Summary(values, cited, absent)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _part(beside: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    found = beside.get(name)
    if not isinstance(found, Mapping):
        raise ArtifactError(f"{path} must have {name}, it has none; rerun the stage summary")
    return dict(found)


def read_curve(plots: Path, drawn: Sequence[str] = ()) -> pd.DataFrame:
    """Read the learning curve, a row per epoch.

    Args:
        plots: its folder.
        drawn: columns that must be there beside the epoch and the lower bound on dev.

    Raises:
        ArtifactError: the file is missing or broken, or its epochs are not 1, 2, 3 and so on.
    """
    path = plots / CURVE
    curve = read_csv(path, dict.fromkeys(drawn, MEASURE) | CURVE_COLUMNS, "train")
    if curve.empty or list(curve["epoch"]) != list(range(1, len(curve) + 1)):
        raise ArtifactError(
            f"{path} must have a row per epoch, from 1 on, it has {len(curve)} rows that are not; "
            "rerun the stage train"
        )
    return curve
