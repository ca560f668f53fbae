"""A training that notes what its steps cost."""

import tempfile
import time
from pathlib import Path

from torch import Tensor

from fhvae.params.whole import Params
from fhvae.training.batches import SequenceData, Sequences
from fhvae.training.checkpoint import Checkpoint
from fhvae.training.dev import DevTerms, LatentUsage
from fhvae.training.loop import Setting, Trainer
from fhvae.training.record import TrainedRun
from fhvae.trials import cosine_eer


class TimedTrainer(Trainer):
    """The training of the pipeline; notes the CPU seconds of all steps until each look at dev."""

    def __init__(
        self,
        setting: Setting,
        train: Sequences,
        dev: SequenceData,
        checkpoint: Checkpoint,
        decibel: Tensor | None = None,
    ) -> None:
        super().__init__(setting, train, dev, checkpoint, cosine_eer, decibel=decibel)
        self.cpu_s: list[float] = []
        self._begun, self._at_dev = time.process_time(), 0.0

    def look_at_dev(self) -> tuple[DevTerms, LatentUsage]:
        """Do as the trainer does; the look itself is not counted."""
        reached = time.process_time()
        self.cpu_s.append(reached - self._begun - self._at_dev)
        found = super().look_at_dev()
        self._at_dev += time.process_time() - reached
        return found


def train_timed(
    params: Params, train: Sequences, dev: SequenceData, decibel: Tensor | None = None
) -> tuple[TrainedRun, list[float]]:
    """Train anew, as the stage does; `decibel` is what levers of the level need.

    Returns:
        The outcome, and the CPU seconds of all steps until the end of each epoch.
    """
    setting = Setting(params.alpha, params.seed, params.segments, params.model, params.training)
    with tempfile.TemporaryDirectory() as folder:
        trainer = TimedTrainer(setting, train, dev, Checkpoint({}, Path(folder)), decibel)
        return trainer.run(), trainer.cpu_s
