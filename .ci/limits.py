"""What a change may not do to the values that one cites: metrics/limits.yaml.

    eer_mu2: {max: 0.13, worsening: 0.01}

`max` and `min` bound the value in every commit. `worsening` bounds the change: the value may lie
beyond the worse end of its interval in the base, or beyond the value where it has no interval, by
at most so much. A value with a limit must be there.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from summaries import SUMMARY, Side, Value, is_number

LIMITS = "metrics/limits.yaml"
KEYS = ("max", "min", "worsening")
WAY_OUT = f"mend the change, or move the limit in {LIMITS} and say why in the commit"


class LimitsError(Exception):
    """metrics/limits.yaml says nothing that can be checked: one sentence."""


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


def parse_limits(text: str | None) -> dict[str, Limit]:
    """Read the limits by the name of their value; no text, no limits.

    Raises:
        LimitsError: a limit that is no number, or a word that is none of `KEYS`.
    """
    try:
        content = yaml.safe_load(text or "") or {}
    except yaml.YAMLError as error:
        raise LimitsError(f"{LIMITS} must be YAML, found {' '.join(str(error).split())}") from error
    if not isinstance(content, Mapping):
        raise LimitsError(f"{LIMITS} must hold lines such as `eer_mu2: {{max: 0.1}}`, found a list")
    return {str(name): _limit(str(name), bounds) for name, bounds in content.items()}


def _limit(name: str, bounds: Any) -> Limit:
    example = f"write for example `{name}: {{max: 0.1, worsening: 0.01}}`"
    if not isinstance(bounds, Mapping) or not bounds or not set(bounds) <= set(KEYS):
        raise LimitsError(
            f"{LIMITS}: {name} must have some of {', '.join(KEYS)}, found {bounds}; {example}"
        )
    for key, bound in bounds.items():
        if not is_number(bound) or (key == "worsening" and bound < 0):
            least = " of at least 0" if key == "worsening" else ""
            raise LimitsError(
                f"{LIMITS}: {key} of {name} must be a number{least}, found {bound}; {example}"
            )
    return Limit(**bounds)


def broken(limits: Mapping[str, Limit], values: Sequence[Value]) -> list[str]:
    """Say in one sentence each which limits the values break.

    Raises:
        LimitsError: `worsening` of a value that says of neither way that it is better.
    """
    by_name = {value.name: value for value in values}
    return [
        sentence
        for name, limit in limits.items()
        for sentence in _of_value(name, limit, by_name.get(name))
    ]


def _of_value(name: str, limit: Limit, value: Value | None) -> Iterator[str]:
    if value is None:
        yield (
            f"{name} has a limit in {LIMITS} and must be in {SUMMARY}, found in neither commit; "
            "correct its name there, or take the limit out"
        )
    elif value.head is None:
        yield (
            f"{name} has a limit in {LIMITS} and must be in {SUMMARY}, found nothing "
            f"({value.why_gone}); bring it back, or take its limit out"
        )
    elif not is_number(value.head.value) or not math.isfinite(value.head.value):
        yield f"{name} must be a finite number in {SUMMARY}, found {value.head.value}; {WAY_OUT}"
    else:
        yield from _of_number(name, limit, value, value.head.value)


def _of_number(name: str, limit: Limit, value: Value, found: float) -> Iterator[str]:
    where = f"found {found:g} in {SUMMARY}; {WAY_OUT}"
    if limit.max is not None and found > limit.max:
        yield f"{name} must be at most {limit.max:g}, {where}"
    if limit.min is not None and found < limit.min:
        yield f"{name} must be at least {limit.min:g}, {where}"
    if limit.worsening is None or value.base is None or not is_number(value.base.value):
        return
    if value.better not in ("lower", "higher"):
        raise LimitsError(
            f"{LIMITS}: worsening of {name} needs to know which way is better, found nothing in "
            "metrics/summary_intervals.json; give max or min instead"
        )
    lower = value.better == "lower"
    end = _worse_end(value.base, lower)
    bound = end + limit.worsening if lower else end - limit.worsening
    if found > bound if lower else found < bound:
        yield (
            f"{name} must be at {'most' if lower else 'least'} {bound:g}, {limit.worsening:g} "
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
        [name, str(before.get(name, none)), str(after.get(name, none))]
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
