"""Section `training`: how the model is learned."""

from dataclasses import dataclass
from typing import Literal

from fhvae.errors import ParamsError
from fhvae.params.reading import number


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
    collapse_log_q: float = number(least=0)

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
