"""Section `model`: kind and sizes of the networks."""

from dataclasses import dataclass
from typing import Literal

from fhvae.params.reading import MOST_LAYERS, MOST_UNITS, number


@dataclass(frozen=True, kw_only=True)
class ModelParams:
    """Kind and sizes of the networks, standard deviations of the priors, the decoder's floor."""

    cell: Literal["lstm", "gru", "rnn", "dense"]
    layers: int = number(least=1, most=MOST_LAYERS)
    cells: int = number(least=1, most=MOST_UNITS)
    z1: int = number(least=1, most=MOST_UNITS)
    z2: int = number(least=1, most=MOST_UNITS)
    z1_std: float = number(least=1e-6, most=1e6)
    z2_std: float = number(least=1e-6, most=1e6)
    mu2_std: float = number(least=1e-6, most=1e6)
    least_log_variance: float | None = number(least=-40, most=0)
