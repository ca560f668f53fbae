"""Section `conversion`: how a voice is moved to another."""

from dataclasses import dataclass, field
from typing import Any


def _setting(default: Any, **limits: float) -> Any:
    """Declare a key with the value that the command uses, and its range."""
    return field(default=default, metadata=limits)


@dataclass(frozen=True, kw_only=True)
class ConversionParams:
    """How a voice is moved to another.

    Attributes:
        strength: lambda, of the step from mu2 of the source to that of the target; 0: none.
        match: tau, how alike frames must be that are matched; 0: the decoder's gain alone.
        shift: frames between the starts of two segments.
        most_gain: nats; no part of the spectrum is raised or lowered by more.
        window_ms: of the source's own short-time spectrum, four windows overlap.
        pitch: whether mean and spread of log-F0 move with the voice.
        most_pitch: octaves that F0 moves at most.
        most_spread: ratio of the spreads of log-F0, and its inverse, at most.
    """

    strength: float = _setting(1.0, least=0, most=4)
    match: float = _setting(0.25, least=0, most=1000)
    shift: int = _setting(3, least=1)
    most_gain: float = _setting(3.0, above=0, most=10)
    window_ms: float = _setting(32.0, above=1, most=200)
    pitch: bool = _setting(True)
    most_pitch: float = _setting(1.3, least=0, most=2)
    most_spread: float = _setting(1.5, least=1, most=4)
