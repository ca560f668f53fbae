"""Section `fbank`: the definition of the frames."""

from dataclasses import dataclass
from typing import Literal

from fhvae.errors import ParamsError
from fhvae.params.reading import number


@dataclass(frozen=True, kw_only=True)
class FbankParams:
    """Definition of the log-mel frames (docs/decisions/0003-fbank.md)."""

    window_ms: float = number(above=0, most=200)
    hop_ms: float = number(above=0, most=100)
    fft_size: int = number(least=16, most=65_536)
    mels: int = number(least=1)
    preemphasis: float = number(least=0, most=1)
    power: float = number(least=0.1, most=2)
    log_floor: float = number(least=-1000, most=0)
    store: Literal["float32", "float16"]
    silent_share: float = number(least=0, most=1)

    def check(self) -> None:
        """Raise ParamsError where two keys contradict each other."""
        if self.hop_ms > self.window_ms:
            raise ParamsError(
                f"fbank.hop_ms must be at most fbank.window_ms={self.window_ms:g}, "
                f"got {self.hop_ms:g}"
            )
