"""Section `recognition`: the phone recognizer under both protocols."""

import math
from dataclasses import dataclass
from typing import Literal

from fhvae.errors import ParamsError
from fhvae.params.reading import MOST_LAYERS, MOST_RATE, MOST_UNITS, number


@dataclass(frozen=True, kw_only=True)
class RecognizerParams:
    """Size and budget of the phone recognizer under one protocol, and what it is run on."""

    shift: int = number(least=1)
    recognizers: tuple[Literal["blstm", "linear"], ...]
    layers: int = number(least=1, most=MOST_LAYERS)
    cells: int = number(least=1, most=MOST_UNITS)
    learning_rates: tuple[float, ...] = number(above=0, most=MOST_RATE)
    repeats: int = number(least=1)
    batch: int = number(least=1)
    steps: int = number(least=1)
    looks: int = number(least=1, most=10_000)
    warm_up: float = number(least=0, most=1)
    last_rate: float = number(least=0, most=1)
    gradient_norm: float = number(above=0)
    dropout: float = number(least=0, most=0.9)
    speaker_shares: tuple[float, ...] = number(above=0, most=0.99)
    topline_inputs: tuple[Literal["fbank", "stacked", "pca", "z1", "z1mu2", "untrained"], ...]
    latent_inputs: tuple[Literal["z1", "z1mu2", "untrained"], ...]

    def check_lists(self, key: str) -> None:
        """Raise ParamsError where a list cannot be used or keys contradict each other."""
        for name in ("recognizers", "learning_rates", "latent_inputs"):
            if not getattr(self, name):
                raise ParamsError(f"{key}.{name} must list one at least, got an empty list")
        for name in ("recognizers", "speaker_shares", "topline_inputs", "latent_inputs"):
            values = list(getattr(self, name))
            names = {one if isinstance(one, str) else f"{100 * one:g}" for one in values}
            if len(names) < len(values):  # they name sides in the metrics
                raise ParamsError(f"{key}.{name} must name each once, got {values}")
        if "fbank" not in self.topline_inputs:
            raise ParamsError(
                f"{key}.topline_inputs must name fbank, which gaps are measured with, "
                f"got {list(self.topline_inputs)}"
            )
        if self.looks > self.steps:
            raise ParamsError(
                f"{key}.looks must be at most {key}.steps={self.steps}, got {self.looks}"
            )


@dataclass(frozen=True, kw_only=True)
class RecognitionParams:
    """Phone recognition: seed of weights and batches, budgets of the two protocols, intervals."""

    seed: int = number(least=0, most=math.inf)
    headline: RecognizerParams
    full: RecognizerParams

    def check(self) -> None:
        """Raise ParamsError where a value cannot be used."""
        self.headline.check_lists("recognition.headline")
        self.full.check_lists("recognition.full")

    def under(self, protocol: Literal["headline", "full"]) -> RecognizerParams:
        """Take the budget of a protocol."""
        return self.headline if protocol == "headline" else self.full
