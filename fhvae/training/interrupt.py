"""Ctrl-C and SIGTERM: noted, so that the step in hand is finished and the state saved."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def noted_signals() -> Iterator[list[int]]:
    """Collect the numbers of signals instead of dying of them; the second one interrupts at once.

    Raises:
        KeyboardInterrupt: a second signal came; what the last checkpoint holds is whole.
    """
    caught: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        if len(caught) > 1:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
