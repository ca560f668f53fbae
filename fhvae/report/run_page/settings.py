"""All of params.yaml, as the page prints it, and the packages that the run was made with."""

import dataclasses
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fhvae.params.every import EveryParam
from fhvae.report.run_page.cells import Table

# What a figure could depend on.
PACKAGES = (
    *("torch", "numpy", "scipy", "pandas", "scikit-learn", "librosa", "soundfile", "soxr"),
    *("jiwer", "matplotlib", "safetensors"),
)


def params_table(params: EveryParam) -> Table:
    """Lay out every param by its dotted key; folders are nobody's business."""
    values = dataclasses.asdict(params)
    rows = [(key, shown) for key, shown in _flat(values) if not key.endswith(PATHS)]
    return Table("Every value of params.yaml but paths.", ("param", "value"), rows)


PATHS = ("path", "alignments", ".from")  # ends of keys: where a file lies differs between machines


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        key = f"{prefix}{name.rstrip('_')}"  # from_ stands for the word that Python keeps
        if isinstance(value, Mapping):
            yield from _flat(value, f"{key}.")
        else:
            yield key, _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, "") else str(value)


def versions_table() -> Table:
    """Name the packages behind the figures; builds of one version (+cpu) give one name."""
    rows = []
    for name in PACKAGES:
        try:
            rows.append((name, version(name).partition("+")[0]))
        except PackageNotFoundError:
            continue
    return Table("Packages that the page was made with.", ("package", "version"), rows)
