"""Section `attack`: what is trained against z1."""

from dataclasses import dataclass

from fhvae.errors import ParamsError
from fhvae.params.reading import number


@dataclass(frozen=True, kw_only=True)
class AttackParams:
    """The network that is trained to tell speakers by a code that should hide them."""

    channels: int = number(least=1)
    embedding: int = number(least=2)
    cosine_scale: float = number(above=0)
    input_noise: float = number(least=0)
    weight_decay: float = number(least=0, most=1)
    learning_rates: tuple[float, ...] = number(above=0)
    repeats: int = number(least=1)
    batch: int = number(least=1)
    steps: int = number(least=1)
    looks: int = number(least=1)

    def check(self) -> None:
        """Raise ParamsError where a value cannot be used."""
        if not self.learning_rates:
            raise ParamsError("attack.learning_rates must list at least one rate, got none")
        if self.looks > self.steps:
            raise ParamsError(
                f"attack.looks must be at most attack.steps={self.steps}, got {self.looks}"
            )
