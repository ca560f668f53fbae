"""Top-level keys, by what reads them."""

import math
from dataclasses import dataclass
from typing import Literal

from fhvae.params.reading import number


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """What learns from a corpus: seed of its weights, batches and starts."""

    seed: int = number(least=0, most=math.inf)


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """What is computed in part under protocol headline and as a whole under full."""

    protocol: Literal["headline", "full"]


@dataclass(frozen=True, kw_only=True)
class Discriminative(Seeded):
    """What maximizes the discriminative lower bound, with its weight."""

    alpha: float = number(least=0)
