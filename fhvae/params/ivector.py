"""Section `ivector`: the paper's baseline."""

from dataclasses import dataclass
from typing import Literal

from fhvae.errors import ParamsError
from fhvae.params.reading import number


@dataclass(frozen=True, kw_only=True)
class IvectorParams:
    """The i-vector baseline: features of speech frames, mixture, subspace."""

    coefficients: int = number(least=2)
    mels: int = number(least=2)
    vad_db: float = number(above=0)
    normalization: Literal["corpus", "mean", "mean_variance"]
    gaussians: int = number(least=1)
    gaussian_frames: int = number(least=1)
    ubm_frames: int = number(least=2)
    ubm_iterations: int = number(least=1)
    rank_utterances: int = number(least=1)
    ranks: tuple[int, ...] = number(least=1)
    iterations: int = number(least=1)

    def check(self) -> None:
        """Raise ParamsError where two keys contradict each other."""
        if self.coefficients > self.mels:
            raise ParamsError(
                f"ivector.coefficients must be at most ivector.mels={self.mels}, "
                f"got {self.coefficients}"
            )
        if not self.ranks:
            raise ParamsError("ivector.ranks must list at least one rank, got none")
