"""The values that one cites, in two commits, each with a verdict.

*Better* and *worse* mean that the value before lies outside the interval of the one after and the
other way round; else the change is *level*. A value that has no interval by its nature (the bound
of dev) is judged by itself. No verdict where speakers were too few for an interval, where only one
commit has one or a value lies outside its own, and where a value is not finite.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from comment_text import literal
from commit_files import (
    ReportError,
    as_object,
    of_base,
    or_nothing,
    parse_json,
    read_base,
    read_here,
)

SUMMARY, INTERVALS = "metrics/summary.json", "metrics/summary_intervals.json"
BETTER, WORSE, LEVEL, NEW, GONE = "better", "worse", "level", "new", "gone"
NO_VERDICT = "no verdict"
NO_REASON = "no reason is given"


@dataclass(frozen=True)
class Side:
    """A value in one of the two commits.

    Attributes:
        value: as metrics/summary.json has it.
        low, high: its 95 % interval over test speakers; None where it has none.
        no_interval: why its speakers were not resampled, where they should have been.
    """

    value: Any
    low: float | None = None
    high: float | None = None
    no_interval: str | None = None

    @property
    def has_interval(self) -> bool:
        """Whether speakers were resampled."""
        return self.low is not None and self.high is not None

    def holds(self, value: float) -> bool:
        """Say whether a value lies within the interval; False without one."""
        return self.low is not None and self.high is not None and self.low <= value <= self.high


@dataclass(frozen=True)
class Value:
    """A value that one cites, before and after.

    Attributes:
        name: of metrics/summary.json.
        better: lower or higher; None where neither commit says.
        base, head: before and after; None where the value is not there.
        why_gone: of a value that is gone, in the words of its stage.
    """

    name: str
    better: str | None
    base: Side | None
    head: Side | None
    why_gone: str = NO_REASON

    @property
    def moved(self) -> bool:
        """Whether anything but the interval is different, or is not finite."""
        return self.verdict != LEVEL or _of(self.base) != _of(self.head)

    @property
    def verdict(self) -> str:
        """One of better, worse, level, new, gone, no verdict."""
        base, head = self.base, self.head
        if base is None or head is None:
            return NEW if base is None else GONE
        if self.why_unjudged:
            return NO_VERDICT
        if base.value == head.value or head.holds(base.value) or base.holds(head.value):
            return LEVEL
        return BETTER if (head.value > base.value) == (self.better == "higher") else WORSE

    @property
    def why_unjudged(self) -> str | None:
        """Why nobody can say whether the value after is better; None where one can."""
        sides = {"after": self.head, "before": self.base}
        found = {when: side for when, side in sides.items() if side}
        for when, side in found.items():
            if is_number(side.value) and not is_finite(side.value):
                return f"the value {when} is not finite"
            if not side.has_interval and any(other.has_interval for other in found.values()):
                return str(side.no_interval or f"the value {when} has no interval")
        if _of(self.base) == _of(self.head):
            return None
        return self._why_unjudged_move(found)

    def _why_unjudged_move(self, found: Mapping[str, Side]) -> str | None:
        for when, side in found.items():
            if not is_number(side.value):
                return f"the value {when} is no number"
            if side.no_interval:
                return str(side.no_interval)
            if side.has_interval and not side.holds(side.value):
                return f"the value {when} lies outside its own interval"
        return None if self.better else "neither commit says which way is better"


def _of(side: Side | None) -> Any:
    return side.value if side else None


def outside_own(values: Sequence[Value]) -> list[str]:
    """Name the values of the change that lie outside their own interval, a sentence each."""
    return [
        f"{literal(value.name)} is {value.head.value:g} after, outside its own interval "
        f"({value.head.low:g} to {value.head.high:g})"
        for value in values
        if value.head and value.head.has_interval and is_finite(value.head.value)
        if not value.head.holds(value.head.value)
    ]


def is_number(value: Any) -> bool:
    """Say whether a value of JSON or YAML is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_finite(value: Any) -> TypeGuard[float]:
    """Say whether a value of JSON or YAML is a number that a computer can compare."""
    return is_number(value) and abs(value) <= sys.float_info.max  # false of NaN


def parse_intervals(content: bytes | None, where: str) -> dict[str, Any]:
    """Parse what stands beside the values.

    Raises:
        ReportError: it is no JSON, or not of the form that `pair` reads.
    """
    beside = parse_json(content, where)
    for part in ("cited", "absent"):
        beside[part] = as_object(beside.get(part, {}), f"`{part}` in {where}")
    for name, own in beside["cited"].items():
        _check_cited(as_object(own, f"{literal(name)} in {where}"), f"{literal(name)} in {where}")
    return beside


def _check_cited(own: Mapping[str, Any], where: str) -> None:
    low, high, better = own.get("low"), own.get("high"), own.get("better")
    none = low is None and high is None
    if not none and not (is_finite(low) and is_finite(high) and low <= high):
        found = f"{literal(repr(low))} and {literal(repr(high))}"
        raise ReportError(
            f"low and high of {where} must be two finite numbers in this order, found {found}; "
            "run the stage `summary` again"
        )
    if better not in (None, "lower", "higher"):
        raise ReportError(
            f"better of {where} must be lower or higher, found {literal(repr(better))}; run the "
            "stage `summary` again"
        )


def read_values(base: str, notes: list[str]) -> list[Value]:
    """Read the summary of the commit `base` and of the working tree, sorted by name.

    Args:
        base: the commit.
        notes: get a sentence on each file of the base that cannot be read.

    Raises:
        ReportError: a file of the working tree cannot be read.
    """

    def old(parse: Callable[[bytes | None, str], dict[str, Any]], path: str) -> dict[str, Any]:
        return or_nothing(lambda: parse(read_base(base, path), of_base(path)), notes)

    after = parse_json(read_here(SUMMARY), SUMMARY)
    beside = parse_intervals(read_here(INTERVALS), INTERVALS)
    return pair(old(parse_json, SUMMARY), after, old(parse_intervals, INTERVALS), beside)


def pair(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    old: Mapping[str, Any],
    new: Mapping[str, Any],
) -> list[Value]:
    """Pair the values of two summaries.

    Args:
        before, after: names and values.
        old, new: what stands beside them, with `cited` and `absent`.
    """
    values = []
    for name in sorted({*before, *after}):
        beside = {**old.get("cited", {}).get(name, {}), **new.get("cited", {}).get(name, {})}
        values.append(
            Value(
                name,
                beside.get("better"),
                _side(name, before, old),
                _side(name, after, new),
                str(new.get("absent", {}).get(name, NO_REASON)),
            )
        )
    return values


def _side(name: str, values: Mapping[str, Any], beside: Mapping[str, Any]) -> Side | None:
    if name not in values:
        return None
    own = beside.get("cited", {}).get(name, {})
    return Side(values[name], own.get("low"), own.get("high"), own.get("no_interval"))
