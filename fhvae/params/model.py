"""Section `model`: kind and sizes of the networks."""

from dataclasses import dataclass
from typing import Literal

from fhvae.params.reading import number


@dataclass(frozen=True, kw_only=True)
class ModelParams:
    """Kind and sizes of the networks, standard deviations of the priors, the decoder's floor."""

    cell: Literal["lstm", "gru", "rnn", "dense"]
    layers: int = number(least=1)
    cells: int = number(least=1)
    z1: int = number(least=1)
    z2: int = number(least=1)
    z1_std: float = number(above=0)
    z2_std: float = number(above=0)
    mu2_std: float = number(above=0)
    least_log_variance: float | None = number(least=-40, most=0)
