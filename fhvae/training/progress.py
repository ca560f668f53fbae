"""Where a run stands, and whether it is at its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

from torch import Tensor

from fhvae.params.training import TrainingParams
from fhvae.training.dev import DevTerms
from fhvae.training.record import EpochRecord, TrainTerms


@dataclass
class Progress:
    """Where a run stands; with the learner, all that a resume needs."""

    step: int = 0
    passes: int = 0
    batch: int = 0  # next batch of the current pass
    curve: list[EpochRecord] = field(default_factory=list)
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    @property
    def best(self) -> EpochRecord:
        """The epoch with the highest dev lower bound; of equals, the first."""
        return max(self.curve, key=lambda record: record.dev.lower_bound)

    def was_finished(self, training: TrainingParams) -> bool:
        """Tell whether a run that ends where `training` says would have ended before."""
        return any(is_finished(self.curve[:end], training) for end in range(len(self.curve)))

    def state_dict(self) -> dict[str, Any]:
        """Give what a checkpoint may hold: dicts, lists, numbers and tensors, no classes."""
        return {**vars(self), "curve": [_to_plain(record) for record in self.curve]}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Undo `state_dict`; other keys of the checkpoint are left alone."""
        own = {one.name: state[one.name] for one in fields(cls)}
        return cls(**{**own, "curve": [_from_plain(item) for item in state["curve"]]})


def is_finished(curve: Sequence[EpochRecord], training: TrainingParams) -> bool:
    """Tell whether a run with this curve ends: max_epochs reached, or patience used up."""
    if not curve:
        return False
    best = max(curve, key=lambda record: record.dev.lower_bound)
    return len(curve) >= training.max_epochs or len(curve) - best.epoch > training.patience


def _to_plain(record: EpochRecord) -> dict[str, Any]:
    """Turn a record into what a checkpoint may hold: dicts and numbers, no classes."""
    return {**vars(record), "train": dict(vars(record.train)), "dev": dict(vars(record.dev))}


def _from_plain(plain: dict[str, Any]) -> EpochRecord:
    """Undo `_to_plain`."""
    parts = {"train": TrainTerms(**plain["train"]), "dev": DevTerms(**plain["dev"])}
    return EpochRecord(**{**plain, **parts})
