"""Tables of the page, and how numbers are written in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MISSING = "-"


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
    """Write `key_low` and `key_high` beside a value as [6.6, 11.7]; "" where there are none."""
    low, high = item.get(f"{key}_low"), item.get(f"{key}_high")
    if low is None or high is None:
        return ""
    return f"[{scale * low:.{digits}f}, {scale * high:.{digits}f}]"


def value_with_interval(
    item: Mapping[str, Any], key: str, scale: float = 100, digits: int = 1
) -> str:
    """Write a value and what `interval` gives; "-" where there is no value."""
    if key not in item:
        return MISSING
    return f"{scale * item[key]:.{digits}f} {interval(item, key, scale, digits)}".strip()


def listed(words: Iterable[str]) -> str:
    """Join words by commas; "-" if there are none."""
    return ", ".join(words) or MISSING
