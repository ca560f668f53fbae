"""Plain values -> frozen dataclasses: every key there, none unknown, type and range as declared.

The message names file and key, what must hold and what was found.
"""

import dataclasses
import difflib
import math
import operator
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Literal, TypeVar

from fhvae.errors import ParamsError, shown

Section = TypeVar("Section")
BOUNDS: tuple[tuple[str, str, Callable[[float, float], bool]], ...] = (
    ("above", "above", operator.gt),
    ("at least", "least", operator.ge),
    ("at most", "most", operator.le),
)
MOST_WHOLE = 2**63 - 1  # int64, in which everything is counted; seeds may be larger
MOST_UNITS, MOST_LAYERS = 100_000, 100  # of a network: far beyond, its size has no number
MOST_RATE = 100.0  # of Adam, whose steps are as long as it: float32 ends soon after


def number(
    *, above: float | None = None, least: float | None = None, most: float | None = None
) -> Any:
    """Declare a numeric key with its range."""
    return field(metadata={"above": above, "least": least, "most": most})


def read_yaml(path: Path) -> Any:
    """Read a YAML file as DVC does, by the same reader: 1:30 is text, yes too, 010 is ten.

    What DVC compares and writes down is then what the stages take.

    Raises:
        ParamsError: it is missing or is no such file, or a key in it is given twice.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ParamsError(f"{path} must exist; run from the top of the repository") from error
    except UnicodeDecodeError as error:
        raise ParamsError(f"{path} must be YAML in UTF-8: {error}") from error
    try:
        return YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f" in line {mark.line + 1}" if mark else ""
        raise ParamsError(f"{path} must be YAML{where}: {error.problem}") from error
    except RecursionError as error:
        raise ParamsError(f"{path} must be YAML, it is nested too deep to be read") from error
    except Exception as error:  # a value that its type does not take may raise anything
        raise ParamsError(f"{path} must be YAML: {error or type(error).__name__}") from error


def from_mapping(section: type[Section], values: Any, source: str, key: str = "") -> Section:
    """Build a params dataclass from plain values; `source` and `key` locate it in messages."""
    if not isinstance(values, Mapping):
        raise ParamsError(
            f"{source}: {key or 'the file'} must hold keys and values, got {shown(values)}"
        )
    prefix = f"{key}." if key else ""
    fields = {
        item.name.rstrip("_"): item  # from_ is the key `from`, which Python keeps for itself
        for item in dataclasses.fields(section)  # type: ignore[arg-type]
    }
    for name in values:
        if name not in fields:
            found = shown(name).strip("'")
            close = difflib.get_close_matches(found, fields, n=1)
            hint = f"; did you mean {prefix}{close[0]}?" if close else ""
            raise ParamsError(f"{source}: unknown key {prefix}{found}{hint}")
    kinds = typing.get_type_hints(section)
    checked = {}
    for name, item in fields.items():
        if name not in values:
            raise ParamsError(f"{source}: key {prefix}{name} is missing")
        kind = kinds[item.name]
        checked[item.name] = _checked(values[name], kind, item, source, prefix + name)
    result = section(**checked)
    if hasattr(result, "check"):
        try:
            result.check()
        except ParamsError as error:
            raise ParamsError(f"{source}: {error}") from None
    return result


def _checked(value: Any, kind: Any, item: dataclasses.Field[Any], source: str, key: str) -> Any:
    """Check one value against its declared type and range."""
    if dataclasses.is_dataclass(kind):
        return from_mapping(typing.cast(type[Any], kind), value, source, key)
    origin = typing.get_origin(kind)
    if origin is Literal:
        choices = typing.get_args(kind)
        if value not in choices:
            raise ParamsError(
                f"{source}: {key} must be one of {', '.join(choices)}, got {shown(value)}"
            )
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise ParamsError(f"{source}: {key} must be a list, got {shown(value)}")
        inner = typing.get_args(kind)[0]
        return tuple(
            _checked(part, inner, item, source, f"{key}[{place}]")
            for place, part in enumerate(value)
        )
    if origin is types.UnionType:
        if value is None:
            return None
        kind = next(part for part in typing.get_args(kind) if part is not types.NoneType)
    if kind is str:
        if not isinstance(value, str):
            raise ParamsError(f"{source}: {key} must be text, got {shown(value)}")
        return value
    if kind is bool:
        if not isinstance(value, bool):
            raise ParamsError(f"{source}: {key} must be true or false, got {shown(value)}")
        return value
    return _checked_number(value, kind, item.metadata, source, key)


def _checked_number(
    value: Any, kind: type, limits: Mapping[str, float | None], source: str, key: str
) -> float | int:
    """Check a number; 10 serves for 10.0, never 10.0 for 10, and no bool for either."""
    noun = "a whole number" if kind is int else "a number"
    if isinstance(value, bool) or not isinstance(value, int if kind is int else (int, float)):
        raise ParamsError(f"{source}: {key} must be {noun}, got {shown(value)}")
    try:
        number = kind(value)
    except OverflowError:  # a whole number beyond the largest float
        number = math.inf
    if number != number or number in (math.inf, -math.inf):
        raise ParamsError(f"{source}: {key} must be finite, got {shown(value)}")
    if kind is int:
        limits = {"most": MOST_WHOLE} | {k: v for k, v in limits.items() if v is not None}
    for word, name, holds in BOUNDS:
        limit = limits.get(name)
        if limit is not None and not holds(number, limit):
            raise ParamsError(
                f"{source}: {key} must be {noun} {word} {limit:g}, got {shown(value)}"
            )
    return number  # type: ignore[no-any-return]
