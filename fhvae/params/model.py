"""Sections that decide the model: `fbank`, `segments`, `model`, `training`, `latents`."""

from dataclasses import dataclass
from typing import Literal

from fhvae.errors import ParamsError
from fhvae.params.reading import number


@dataclass(frozen=True, kw_only=True)
class FbankParams:
    """Definition of the log-mel frames (docs/decisions/0003-fbank.md)."""

    window_ms: float = number(above=0, most=200)
    hop_ms: float = number(above=0, most=100)
    fft_size: int = number(least=16)
    mels: int = number(least=1)
    preemphasis: float = number(least=0, most=1)
    power: float = number(above=0, most=2)
    log_floor: float = number(most=0)
    store: Literal["float32", "float16"]

    def check(self) -> None:
        """Raise ParamsError where two keys contradict each other."""
        if self.hop_ms > self.window_ms:
            raise ParamsError(
                f"fbank.hop_ms must be at most fbank.window_ms={self.window_ms:g}, "
                f"got {self.hop_ms:g}"
            )


@dataclass(frozen=True, kw_only=True)
class SegmentsParams:
    """How utterances are cut into segments, in frames."""

    frames: int = number(least=1)
    train_shift: int = number(least=1)
    shift: int = number(least=1)


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


@dataclass(frozen=True, kw_only=True)
class TrainingParams:
    """Optimization, early stopping and the table of mu2."""

    domains: Literal["clean", "all"]
    mu2_table: Literal["closed_form", "random"]
    block_sequences: int = number(least=0)
    sequence: Literal["utterance", "speaker"]
    batch: int = number(least=1)
    learning_rate: float = number(above=0)
    precision: Literal["float32", "tf32", "bf16"]
    average: float = number(least=0, most=0.9999)
    adam_beta1: float = number(least=0, most=0.9999)
    adam_beta2: float = number(least=0, most=0.99999)
    epoch_steps: int = number(least=1)
    max_epochs: int = number(least=1)
    patience: int = number(least=0)
    collapse_kl_z2: float = number(least=0)
    collapse_variance_z2: float = number(least=0)

    def check(self) -> None:
        """Raise ParamsError where two keys contradict each other."""
        if self.block_sequences == 1:
            raise ParamsError(
                "training.block_sequences must be 0 or at least 2, got 1: the discriminative term "
                "has nothing to tell apart"
            )
        if self.block_sequences and self.mu2_table == "random":
            raise ParamsError(
                "training.mu2_table must be closed_form where training.block_sequences draws "
                f"sequences anew for each pass (now {self.block_sequences}), got random"
            )


@dataclass(frozen=True, kw_only=True)
class LatentsParams:
    """The grid on which latents are written, and how many of them the t-SNE map of z1 shows."""

    shift: int = number(least=1)
    tsne_points: int = number(least=50)
