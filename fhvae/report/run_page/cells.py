"""Tables of the page, and how numbers are written in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MISSING = "-"
MOST_DIGITS = 4  # of percent: metrics have six decimals


@dataclass(frozen=True)
class Table:
    """A table of texts; the first cell of a row says what the row is about.

    Attributes:
        caption: what it shows, a sentence.
        header: of the columns.
        rows: as many cells each.
        shades: of each row, how dark the ground of its cells is, 0 to 1; empty: plain.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    shades: Sequence[Sequence[float]] = ()


def count(value: int) -> str:
    """Write a count with blanks between thousands: 1 670 360."""
    return f"{value:,}".replace(",", "\N{NO-BREAK SPACE}")


def percent(share: float) -> str:
    """Write a share in percent, one decimal: 8.8."""
    return f"{100 * share:.1f}"


def interval(item: Mapping[str, Any], key: str, scale: float = 100, digits: int = 1) -> str:
    """Write `key_low` and `key_high` beside a value as [6.6, 11.7]; "" where there are none.

    Args:
        item: holds them.
        key: of the value.
        scale: what all is multiplied by; 100 for percent.
        digits: after the point; more where an end beside 0 would be written as 0.
    """
    ends = _ends(item, key, scale)
    if ends is None:
        return ""
    low, high = (f"{end:.{_enough(ends, digits)}f}" for end in ends)
    return f"[{low}, {high}]"


def _ends(item: Mapping[str, Any], key: str, scale: float) -> tuple[float, float] | None:
    low, high = item.get(f"{key}_low"), item.get(f"{key}_high")
    if low is None or high is None:
        return None
    return scale * low + 0.0, scale * high + 0.0  # + 0.0: no -0.0


def _enough(ends: tuple[float, float], digits: int) -> int:
    """Find the digits that show on which side of 0 an end lies."""
    while digits < MOST_DIGITS and any(end and float(f"{end:.{digits}f}") == 0 for end in ends):
        digits += 1
    return digits


def value_with_interval(
    item: Mapping[str, Any], key: str, scale: float = 100, digits: int = 1
) -> str:
    """Write a value and what `interval` gives; "-" where there is no value."""
    if key not in item:
        return MISSING
    ends = _ends(item, key, scale)
    digits = _enough(ends, digits) if ends else digits
    return f"{scale * item[key]:.{digits}f} {interval(item, key, scale, digits)}".strip()


def listed(words: Iterable[str]) -> str:
    """Join words by commas; "-" if there are none."""
    return ", ".join(words) or MISSING
