"""Section `model`: kind and sizes of the networks."""

from dataclasses import dataclass
from typing import Literal

from fhvae.params.reading import number


@dataclass(frozen=True, kw_only=True)
class ModelParams:
    """Kind and sizes of the networks, and standard deviations of the priors."""

    cell: Literal["lstm", "gru", "rnn", "dense"]
    layers: int = number(least=1)
    cells: int = number(least=1)
    z1: int = number(least=1)
    z2: int = number(least=1)
    z1_std: float = number(above=0)
    z2_std: float = number(above=0)
    mu2_std: float = number(above=0)
