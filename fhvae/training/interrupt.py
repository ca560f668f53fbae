"""Ctrl-C and SIGTERM: noted, so that the step in hand is finished and the state saved."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def noted_signals() -> Iterator[list[int]]:
    """Collect the numbers of signals instead of dying of them."""
    caught: list[int] = []
    before = {
        number: signal.signal(number, lambda found, _: caught.append(found))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
