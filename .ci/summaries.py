"""The values that one cites, in two commits, each with a verdict.

*Better* and *worse* mean that the value before lies outside the interval of the one after and the
other way round; else the change is *level*. A value that has no interval by its nature (the bound
of dev) is judged by itself, one whose speakers were too few for an interval is not.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        """Whether anything but the interval is different."""
        return self.base is None or self.head is None or self.base.value != self.head.value

    @property
    def verdict(self) -> str:
        """One of better, worse, level, new, gone, no verdict."""
        base, head = self.base, self.head
        if base is None or head is None:
            return NEW if base is None else GONE
        if base.value == head.value:
            return LEVEL
        if self.better is None or base.no_interval or head.no_interval:
            return NO_VERDICT
        if not (is_number(base.value) and is_number(head.value)):
            return NO_VERDICT
        both = base.has_interval and head.has_interval
        if both and (head.holds(base.value) or base.holds(head.value)):
            return LEVEL
        return BETTER if (head.value > base.value) == (self.better == "higher") else WORSE


def is_number(value: Any) -> bool:
    """Say whether a value of JSON or YAML is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_base(base: str, path: str) -> str | None:
    """Read a file as it stands in the commit `base`; None if it is not there."""
    command = ["git", "show", f"{base}:{path}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout if answer.returncode == 0 else None


def read_here(path: str) -> str | None:
    """Read a file of the working tree; None if it is not there."""
    here = Path(path)
    return here.read_text(encoding="utf-8") if here.is_file() else None


def parse(text: str | None) -> dict[str, Any]:
    """Parse the text of a JSON file; no text is an empty file."""
    return dict(json.loads(text)) if text else {}


def read_values(base: str) -> list[Value]:
    """Read the summary of the commit `base` and of the working tree, sorted by name."""
    before, after = (parse(text) for text in (read_base(base, SUMMARY), read_here(SUMMARY)))
    old, new = (parse(text) for text in (read_base(base, INTERVALS), read_here(INTERVALS)))
    return pair(before, after, old, new)


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
                new.get("absent", {}).get(name, NO_REASON),
            )
        )
    return values


def _side(name: str, values: Mapping[str, Any], beside: Mapping[str, Any]) -> Side | None:
    if name not in values:
        return None
    own = beside.get("cited", {}).get(name, {})
    return Side(values[name], own.get("low"), own.get("high"), own.get("no_interval"))
