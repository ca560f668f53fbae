"""Plain values -> frozen dataclasses: every key there, none unknown, type and range as declared.

The message names file and key, what must hold and what was found.
"""

import dataclasses
import difflib
import operator
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, Literal, TypeVar

from fhvae.errors import ParamsError

Section = TypeVar("Section")
BOUNDS: tuple[tuple[str, str, Callable[[float, float], bool]], ...] = (
    ("above", "above", operator.gt),
    ("at least", "least", operator.ge),
    ("at most", "most", operator.le),
)
EXPONENT = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


def number(
    *, above: float | None = None, least: float | None = None, most: float | None = None
) -> Any:
    """Declare a numeric key with its range."""
    return field(metadata={"above": above, "least": least, "most": most})


def read_yaml(path: Path) -> Any:
    """Read a YAML file in which no key is given twice.

    Raises:
        ParamsError: it is missing or is no such file.
    """
    import yaml

    try:
        return yaml.load(path.read_text(encoding="utf-8"), _unique_keys_loader())
    except FileNotFoundError as error:
        raise ParamsError(f"{path} must exist; run from the top of the repository") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path} must be YAML: {' '.join(str(error).split())}") from error


def _unique_keys_loader() -> type:
    """Make a safe YAML loader that refuses a key given twice, where PyYAML takes the last."""
    import yaml

    class UniqueKeys(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = [key for key in keys if keys.count(key) > 1]
            if twice:
                line = node.start_mark.line + 1
                raise yaml.YAMLError(f"key {twice[0]} is given twice in the block at line {line}")
            return dict(super().construct_mapping(node, deep))

    return UniqueKeys


def from_mapping(section: type[Section], values: Any, source: str, key: str = "") -> Section:
    """Build a params dataclass from plain values; `source` and `key` locate it in messages."""
    if not isinstance(values, Mapping):
        raise ParamsError(
            f"{source}: {key or 'the file'} must hold keys and values, got {values!r}"
        )
    prefix = f"{key}." if key else ""
    fields = {
        item.name.rstrip("_"): item  # from_ is the key `from`, which Python keeps for itself
        for item in dataclasses.fields(section)  # type: ignore[arg-type]
    }
    for name in values:
        if name not in fields:
            close = difflib.get_close_matches(str(name), fields, n=1)
            hint = f"; did you mean {prefix}{close[0]}?" if close else ""
            raise ParamsError(f"{source}: unknown key {prefix}{name}{hint}")
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
            raise ParamsError(f"{source}: {key} must be one of {', '.join(choices)}, got {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise ParamsError(f"{source}: {key} must be a list, got {value!r}")
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
            raise ParamsError(f"{source}: {key} must be text, got {value!r}")
        return value
    if kind is bool:
        if not isinstance(value, bool):
            raise ParamsError(f"{source}: {key} must be true or false, got {value!r}")
        return value
    return _checked_number(value, kind, item.metadata, source, key)


def _checked_number(
    value: Any, kind: type, limits: Mapping[str, float | None], source: str, key: str
) -> float | int:
    """Check a number; 10 serves for 10.0, never 10.0 for 10, and no bool for either."""
    noun = "a whole number" if kind is int else "a number"
    if kind is float and isinstance(value, str) and EXPONENT.fullmatch(value):
        value = float(value)  # YAML 1.1 reads 1e-3, without a point, as text
    if isinstance(value, bool) or not isinstance(value, int if kind is int else (int, float)):
        raise ParamsError(f"{source}: {key} must be {noun}, got {value!r}")
    number = kind(value)
    if number != number or number in (float("inf"), float("-inf")):
        raise ParamsError(f"{source}: {key} must be finite, got {value!r}")
    for word, name, holds in BOUNDS:
        limit = limits.get(name)
        if limit is not None and not holds(number, limit):
            raise ParamsError(f"{source}: {key} must be {noun} {word} {limit:g}, got {value!r}")
    return number  # type: ignore[no-any-return]
