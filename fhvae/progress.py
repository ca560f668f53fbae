"""Progress bars: one line that moves on a terminal, a line now and then in a log."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from tqdm import tqdm

from fhvae.errors import one_line

Item = TypeVar("Item")
_inside = ContextVar("_inside", default=False)
LOG_SECONDS = 20.0  # between two lines of progress where nobody watches


def progress_bar(
    items: Iterable[Item] | None,
    label: str,
    unit: str,
    total: int | None = None,
    initial: int = 0,
    shown: bool = True,
) -> "tqdm[Item]":
    """Wrap `items` (or count by hand if None) in a bar with rate and time left.

    Args:
        items: what is walked over.
        label: what is being done.
        unit: what one item is; bytes, "B", are shown in kB, MB, GB.
        total: number of items, where `items` cannot tell.
        initial: items done before, by an interrupted run.
        shown: whether anybody looks.
    """
    return tqdm(
        items,
        desc=one_line(label),  # the name of a file, perhaps
        unit=unit,
        unit_scale=unit == "B",
        total=total,
        initial=initial,
        mininterval=0.2 if sys.stderr and sys.stderr.isatty() else LOG_SECONDS,
        maxinterval=LOG_SECONDS,
        smoothing=0.05,
        disable=not shown or _inside.get(),
    )


@contextmanager
def no_bars() -> Iterator[None]:
    """Show no bars of what is done inside: one step of something that has its own."""
    token = _inside.set(True)
    try:
        yield
    finally:
        _inside.reset(token)
