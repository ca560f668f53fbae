"""Section `ivector`: the paper's baseline."""

from dataclasses import dataclass
from itertools import product
from typing import Literal

from fhvae.errors import ParamsError
from fhvae.params.reading import number

Normalization = Literal["corpus", "mean", "mean_variance"]
CHOSEN_ON_DEV = ("vad_db", "normalization", "gaussians", "ranks")


@dataclass(frozen=True)
class FrontEnd:
    """What counts as speech, and how its features are scaled.

    Attributes:
        vad_db: below the utterance's loud frames, and more, is a pause.
        normalization: of the features.
    """

    vad_db: float
    normalization: Normalization

    @property
    def detector(self) -> str:
        """Name the detector as folders and metrics do: 30.0 -> vad30, 22.5 -> vad22_5."""
        return f"vad{self.vad_db:g}".replace(".", "_")


@dataclass(frozen=True, kw_only=True)
class IvectorParams:
    """The i-vector baseline: features of speech frames, mixture, subspace."""

    coefficients: int = number(least=2)
    mels: int = number(least=2)
    vad_db: tuple[float, ...] = number(above=0)
    normalization: tuple[Normalization, ...]
    gaussians: tuple[int, ...] = number(least=1)
    gaussian_frames: int = number(least=1)
    ubm_frames: int = number(least=2)
    ubm_iterations: int = number(least=1)
    rank_utterances: int = number(least=1)
    ranks: tuple[int, ...] = number(least=1)
    iterations: int = number(least=1)

    @property
    def front_ends(self) -> tuple[FrontEnd, ...]:
        """Every detector with every normalization."""
        return tuple(FrontEnd(*pair) for pair in product(self.vad_db, self.normalization))

    def check(self) -> None:
        """Raise ParamsError where two keys contradict each other, or a list cannot be used."""
        if self.coefficients > self.mels:
            raise ParamsError(
                f"ivector.coefficients must be at most ivector.mels={self.mels}, "
                f"got {self.coefficients}"
            )
        for key in CHOSEN_ON_DEV:
            values = getattr(self, key)
            names = {one if isinstance(one, str) else f"{one:g}" for one in values}  # of folders
            if not values or len(names) < len(values):
                raise ParamsError(
                    f"ivector.{key} must list different values, one at least, got {list(values)}"
                )
