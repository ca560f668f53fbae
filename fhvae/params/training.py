"""Section `training`: how the model is learned."""

from dataclasses import dataclass
from typing import Literal

from fhvae.errors import ParamsError
from fhvae.params.reading import MOST_RATE, number


@dataclass(frozen=True, kw_only=True)
class TrainingParams:
    """Optimization, early stopping, the table of mu2, and how segments are heard."""

    from_: str | None = None
    domains: Literal["clean", "all"]
    mu2_table: Literal["closed_form", "random"]
    block_sequences: int = number(least=0)
    sequence: Literal["utterance", "speaker"]
    batch: int = number(least=1)
    learning_rate: float = number(above=0, most=MOST_RATE)
    precision: Literal["float32", "tf32", "bf16"]
    average: float = number(least=0, most=0.9999)
    skip_nearest: int = number(least=0)
    mask_mels: int = number(least=0)
    gain_db: float = number(least=0, most=40)
    noise_floor_db: tuple[float, ...] = number(least=-100, most=40)
    adam_beta1: float = number(least=0, most=0.9999)
    adam_beta2: float = number(least=0, most=0.99999)
    epoch_steps: int = number(least=1)
    max_epochs: int = number(least=1)
    patience: int = number(least=0)
    collapse_kl_z2: float = number(least=0)
    collapse_variance_z2: float = number(least=0)
    collapse_log_q: float = number(least=0)
    collapse_log_variance_x: float = number(most=0)
    collapse_certain_share: float = number(least=0, most=1)

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
        floor = self.noise_floor_db
        if floor and (len(floor) != 2 or floor[0] > floor[1]):
            raise ParamsError(
                "training.noise_floor_db must be empty or list a smallest and a largest, got "
                f"{list(floor)}"
            )
