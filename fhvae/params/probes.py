"""Section `probes`: what is read from codes."""

from dataclasses import dataclass

from fhvae.errors import ParamsError
from fhvae.params.reading import MOST_RATE, MOST_UNITS, number


@dataclass(frozen=True, kw_only=True)
class ProbesParams:
    """Probes on frozen codes: linear, and with one hidden layer."""

    penalties: tuple[float, ...]
    max_segments: int = number(least=100)
    fit_share: float = number(above=0, most=0.95)
    smoothing: float = number(above=0, most=0.5)
    control_clusters: int = number(least=2)
    control_iterations: int = number(least=1)
    mlp_hidden: int = number(least=1, most=MOST_UNITS)
    mlp_epochs: int = number(least=1)
    mlp_patience: int = number(least=1)
    mlp_learning_rate: float = number(above=0, most=MOST_RATE)
    mlp_batch: int = number(least=1)
    abx_items: int = number(least=2)
    abx_speakers: int = number(least=1)

    def check(self) -> None:
        """Raise ParamsError where a value cannot be used."""
        if not self.penalties or min(self.penalties) <= 0:
            raise ParamsError(
                f"probes.penalties must list numbers above 0, got {list(self.penalties)}"
            )
