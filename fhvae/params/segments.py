"""Section `segments`: how frames are cut."""

from dataclasses import dataclass

from fhvae.params.reading import number


@dataclass(frozen=True, kw_only=True)
class SegmentsParams:
    """How utterances are cut into segments, in frames."""

    frames: int = number(least=1)
    train_shift: int = number(least=1)
    shift: int = number(least=1)
