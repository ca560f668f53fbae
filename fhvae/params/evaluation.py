"""Sections of what is asked of a model: baseline, verification, attack, probes, recognition."""

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
    ubm_frames: int = number(least=2)
    ubm_iterations: int = number(least=1)
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


@dataclass(frozen=True, kw_only=True)
class VerificationParams:
    """Back-ends and intervals of speaker verification."""

    lda_dimensions: tuple[int, ...] = number(least=1)
    most_trials: int = number(least=100)
    bootstrap: int = number(least=10)

    def check(self) -> None:
        """Raise ParamsError where a list cannot be used."""
        dimensions = self.lda_dimensions
        if not dimensions or len(set(dimensions)) < len(dimensions):
            raise ParamsError(
                f"verification.lda_dimensions must list different numbers, got {list(dimensions)}"
            )


@dataclass(frozen=True, kw_only=True)
class AttackParams:
    """The network that is trained to tell speakers by a code that should hide them."""

    channels: int = number(least=1)
    embedding: int = number(least=2)
    learning_rates: tuple[float, ...] = number(above=0)
    repeats: int = number(least=1)
    batch: int = number(least=1)
    steps: int = number(least=1)
    looks: int = number(least=1)
    bootstrap: int = number(least=10)

    def check(self) -> None:
        """Raise ParamsError where a value cannot be used."""
        if not self.learning_rates:
            raise ParamsError("attack.learning_rates must list at least one rate, got none")
        if self.looks > self.steps:
            raise ParamsError(
                f"attack.looks must be at most attack.steps={self.steps}, got {self.looks}"
            )


@dataclass(frozen=True, kw_only=True)
class ProbesParams:
    """Probes on frozen codes: linear, and with one hidden layer."""

    penalties: tuple[float, ...]
    max_segments: int = number(least=100)
    control_clusters: int = number(least=2)
    mlp_hidden: int = number(least=1)
    mlp_epochs: int = number(least=1)
    mlp_patience: int = number(least=1)
    bootstrap: int = number(least=10)

    def check(self) -> None:
        """Raise ParamsError where a value cannot be used."""
        if not self.penalties or min(self.penalties) <= 0:
            raise ParamsError(
                f"probes.penalties must list numbers above 0, got {list(self.penalties)}"
            )


@dataclass(frozen=True, kw_only=True)
class RecognizerParams:
    """Size and budget of the phone recogniser under one protocol, and what it is run on."""

    shift: int = number(least=1)
    recognizers: tuple[Literal["blstm", "linear"], ...]
    layers: int = number(least=1)
    cells: int = number(least=1)
    learning_rates: tuple[float, ...] = number(above=0)
    repeats: int = number(least=1)
    batch: int = number(least=1)
    steps: int = number(least=1)
    looks: int = number(least=1)
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
            if len(set(values)) < len(values):
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
    """Phone recognition: budgets of the two protocols, and intervals."""

    bootstrap: int = number(least=10)
    headline: RecognizerParams
    full: RecognizerParams

    def check(self) -> None:
        """Raise ParamsError where a value cannot be used."""
        self.headline.check_lists("recognition.headline")
        self.full.check_lists("recognition.full")

    def under(self, protocol: Literal["headline", "full"]) -> RecognizerParams:
        """Take the budget of a protocol."""
        return self.headline if protocol == "headline" else self.full
