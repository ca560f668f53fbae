"""The two sizes that speed is measured at: params.yaml, and params.yaml with profiles/paper."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from fhvae.params.reading import from_mapping
from fhvae.params.whole import Params

ROOT = Path(__file__).resolve().parents[1]
FLAG = re.compile(r"-S ([a-z0-9_.]+)=(\S+)")


def put(values: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Replace dotted keys of params, as `dvc exp run -S` does."""
    for key, value in changes.items():
        inner = values
        *sections, last = key.split(".")
        for section in sections:
            inner = inner[section]
        inner[last] = value


def default_values() -> dict[str, Any]:
    """Read params.yaml as it stands."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    return values


def sizes() -> dict[str, Params]:
    """Give the params of both sizes, by name."""
    flags = (ROOT / "profiles" / "paper").read_text(encoding="utf-8")
    paper = default_values()
    put(paper, {key: yaml.safe_load(value) for key, value in FLAG.findall(flags)})
    return {
        "default": from_mapping(Params, default_values(), source="params.yaml"),
        "paper": from_mapping(Params, paper, source="profiles/paper"),
    }
