"""Phone symbols -> the classes that probes and recognition count.

TIMIT is transcribed with 61 symbols. The field trains on 48 classes and scores on 39
(Lee & Hon 1989); `timit_phones.csv` holds both maps, an empty cell drops the symbol (only q,
the glottal stop). Symbols of other corpora are classes already and stay as they are.
"""

import csv
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files

SILENCE = "sil"
# No other inventory writes these: without one of them aa, b, sh, ... are plain ARPAbet.
TIMIT_MARKS = frozenset("bcl dcl gcl pcl tcl kcl h# epi".split())
# Pauses as other corpora and aligners write them, beside TIMIT's own.
PAUSES = frozenset("sil sp pau h# epi _ _: silence".split())


@cache
def timit_table() -> dict[int, dict[str, str]]:
    """Read the maps symbol -> class, by number of classes: 48 and 39; "" where dropped."""
    text = files(__package__).joinpath("timit_phones.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    to48 = {row["phone"]: row["phone48"] for row in rows}
    # the 48 classes fold on to 39 as well: cl, vcl and sil are no symbols of their own
    to39 = {row[column]: row["phone39"] for row in rows for column in ("phone48", "phone")}
    return {48: to48, 39: {name: folded for name, folded in to39.items() if name}}


def fold48(name: str) -> str | None:
    """Give the class among TIMIT's 48; None for q, which is dropped; others unchanged."""
    return timit_table()[48].get(name, name) or None


def fold39(name: str) -> str | None:
    """Give the class among TIMIT's 39, of a symbol or of one of the 48 classes.

    None for q, which is dropped; names that are neither are unchanged.
    """
    return timit_table()[39].get(name, name) or None


def uses_timit(names: Iterable[str]) -> bool:
    """Tell whether the labels of a corpus are TIMIT's 61 symbols.

    All must be among the 61, and one at least must be TIMIT's alone (a closure, h# or epi):
    ARPAbet without silences also lies within the 61, and must not be folded.
    """
    found = set(names)
    return found <= timit_table()[48].keys() and not found.isdisjoint(TIMIT_MARKS)


def folding_for(names: Iterable[str], classes: int = 39) -> Callable[[str], str | None]:
    """Choose how the labels of a corpus become classes.

    Args:
        names: every label that occurs in the corpus, in all its splits.
        classes: 39 or 48; matters for TIMIT's symbols only.

    Returns:
        `fold39` or `fold48` for TIMIT's 61 symbols, otherwise the identity. None means: drop
        the label.
    """
    if classes not in timit_table():
        raise ValueError(f"phones fold to 39 or 48 classes, got {classes}")
    if not uses_timit(names):
        return unfolded
    return fold39 if classes == 39 else fold48


def unfolded(name: str) -> str | None:
    """Leave a label as it is."""
    return name


def is_silence(name: str) -> bool:
    """Tell whether a label or class is a pause; TIMIT's closures count as the pauses they fold to.

    Brackets and case do not matter: <sil>, [SIL] and SIL are pauses too.
    """
    return name.strip("<>[]()").lower() in PAUSES or fold39(name) == SILENCE
