"""What a change may not do to the values that one cites: metrics/limits.yaml.

    eer_mu2: {max: 0.13, worsening: 0.01}

`max` and `min` bound the value in every commit. `worsening` bounds the change: the value may lie
beyond the worse end of its interval in the base, or beyond the value where it has no interval, by
at most so much. A value with a limit must be there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from comment_text import literal
from commit_files import ReportError, as_text, kind
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from summaries import INTERVALS, SUMMARY, Side, Value, is_finite

LIMITS = "metrics/limits.yaml"
KEYS = ("max", "min", "worsening")
WAY_OUT = f"mend the change, or move the limit in {LIMITS} and say why in the commit"


@dataclass(frozen=True)
class Limit:
    """What one value must keep to; None: nothing."""

    max: float | None = None
    min: float | None = None
    worsening: float | None = None

    def __str__(self) -> str:
        """Show the limit as the file has it."""
        kept = {key: getattr(self, key) for key in KEYS if getattr(self, key) is not None}
        return ", ".join(f"{key} {value:g}" for key, value in kept.items()) or "none"


def parse_limits(content: bytes | None, where: str = LIMITS) -> dict[str, Limit]:
    """Read the limits by the name of their value; no file, no limits.

    Raises:
        ReportError: it is no YAML, names a limit twice, or a limit could never be broken.
    """
    parsed = _yaml(as_text(content or b"", where), where)
    if parsed is None:
        return {}
    if not isinstance(parsed, Mapping):
        found = f"{kind(parsed)}, {literal(repr(parsed))}"
        raise ReportError(
            f"{where} must hold lines such as `eer_mu2: {{max: 0.1}}`, found {found}; write such "
            "lines, or leave it empty"
        )
    return {str(name): _limit(str(name), bounds, where) for name, bounds in parsed.items()}


def _yaml(text: str, where: str) -> Any:
    """Parse YAML as DVC does, which refuses a key that stands twice."""
    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, RecursionError) as error:
        found, line = literal(str(error)), ""
        if isinstance(error, MarkedYAMLError) and error.problem_mark:
            found = literal(str(error.problem).removeprefix("found "))
            line = f" in line {error.problem_mark.line + 1}"
        raise ReportError(
            f"{where} must be YAML with every name once, found {found}{line}; mend it there"
        ) from error


def _limit(name: str, bounds: Any, where: str) -> Limit:
    shown = literal(name)
    example = f"write for example `{{max: 0.1, worsening: 0.01}}` behind {shown}"
    if not isinstance(bounds, Mapping) or not bounds or not set(bounds) <= set(KEYS):
        found = f"{kind(bounds)}, {literal(repr(bounds))}"
        raise ReportError(
            f"{where}: {shown} must have some of {', '.join(KEYS)}, found {found}; {example}"
        )
    for key, bound in bounds.items():
        if not is_finite(bound) or (key == "worsening" and bound < 0):
            least = " of at least 0" if key == "worsening" else ""
            found = f"{kind(bound)}, {literal(repr(bound))}"
            raise ReportError(
                f"{where}: {key} of {shown} must be a finite number{least}, found {found}; "
                f"{example}"
            )
    return Limit(**bounds)


def broken(limits: Mapping[str, Limit], values: Sequence[Value]) -> list[str]:
    """Say in one sentence each which limits the values break.

    Raises:
        ReportError: `worsening` of a value that says of neither way that it is better.
    """
    by_name = {value.name: value for value in values}
    return [
        sentence
        for name, limit in limits.items()
        for sentence in _of_value(name, limit, by_name.get(name))
    ]


def _of_value(name: str, limit: Limit, value: Value | None) -> Iterator[str]:
    shown = literal(name)
    if value is None:
        yield (
            f"{shown} has a limit in {LIMITS} and must be in {SUMMARY}, found in neither commit; "
            "correct its name there, or take the limit out"
        )
    elif value.head is None:
        yield (
            f"{shown} has a limit in {LIMITS} and must be in {SUMMARY}, found nothing "
            f"({literal(value.why_gone)}); bring it back, or take its limit out"
        )
    elif not is_finite(value.head.value):
        found = f"{kind(value.head.value)}, {literal(repr(value.head.value))}"
        yield f"{shown} must be a finite number in {SUMMARY}, found {found}; {WAY_OUT}"
    else:
        yield from _of_number(name, limit, value, value.head.value)


def _of_number(name: str, limit: Limit, value: Value, found: float) -> Iterator[str]:
    shown = literal(name)
    where = f"found {found:g} in {SUMMARY}; {WAY_OUT}"
    if limit.max is not None and found > limit.max:
        yield f"{shown} must be at most {limit.max:g}, {where}"
    if limit.min is not None and found < limit.min:
        yield f"{shown} must be at least {limit.min:g}, {where}"
    if limit.worsening is None or value.base is None or not is_finite(value.base.value):
        return
    if value.better not in ("lower", "higher"):
        raise ReportError(
            f"{LIMITS}: worsening of {shown} needs to know which way is better, found nothing in "
            f"{INTERVALS}; give max or min instead"
        )
    lower = value.better == "lower"
    end = _worse_end(value.base, lower)
    bound = end + limit.worsening if lower else end - limit.worsening
    if found > bound if lower else found < bound:
        yield (
            f"{shown} must be at {'most' if lower else 'least'} {bound:g}, {limit.worsening:g} "
            f"beyond {_of_base(value.base)}, {where}"
        )


def _worse_end(base: Side, lower_is_better: bool) -> float:
    end = base.high if lower_is_better else base.low
    return float(base.value if end is None else end)


def _of_base(base: Side) -> str:
    if base.has_interval:
        return f"its interval before ({base.low:g} to {base.high:g})"
    return f"its value before ({base.value:g})"


def moved_limits(before: Mapping[str, Limit], after: Mapping[str, Limit]) -> list[list[str]]:
    """List the limits that the change itself moves: name, before, after."""
    none = Limit()
    return [
        [literal(name), str(before.get(name, none)), str(after.get(name, none))]
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
