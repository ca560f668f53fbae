"""Ways of training that were tried and are not params: a schedule, refreshes, warped copies."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from fhvae.artifacts import Packed
from fhvae.features.normalize import Normalizer
from fhvae.seeds import generator
from fhvae.training.checkpoint import Checkpoint
from fhvae.training.data import SequenceData
from fhvae.training.dev import Monitor
from fhvae.training.loop import Setting, Trainer
from fhvae.training.table import closed_form_table


@dataclass(frozen=True)
class Method:
    """What a lever changes beside params.

    Attributes:
        decay: learning rate falls linearly to 0 over the run.
        first_fill: the table of mu2 is filled in closed form once, at the first pass.
        refresh_steps: the table is filled again every so many steps; 0: at each pass.
        copies: of every train utterance with its frequency axis stretched, each a sequence.
        stretch: largest relative change of a frequency in a copy.
        tilt: standard deviation of a spectral tilt drawn per copy, nats from middle to edge.
    """

    decay: bool = False
    first_fill: bool = False
    refresh_steps: int = 0
    copies: int = 0
    stretch: float = 0.12
    tilt: float = 0.0


class NoCheckpoint(Checkpoint):
    """Keeps nothing: a lever is pulled anew."""

    def __init__(self) -> None:
        super().__init__("levers")

    def save(self, state: object) -> None:
        """Forget the state."""

    def load(self, device: torch.device) -> None:
        """Find nothing."""


class LeverTrainer(Trainer):
    """The training of the pipeline, with a method."""

    def __init__(
        self,
        setting: Setting,
        train: SequenceData,
        dev: SequenceData,
        method: Method,
        monitor: Monitor,
    ) -> None:
        super().__init__(setting, train, dev, NoCheckpoint(), monitor)
        self.method = method

    def train_step(self) -> None:
        """Set the learning rate, refresh the table where it is time, take a step."""
        training, step = self.setting.training, self.progress.step
        if self.method.decay:
            left = 1 - step / (training.max_epochs * training.epoch_steps)
            for group in self.optimizer.param_groups:
                group["lr"] = training.learning_rate * max(left, 1e-3)
        if self.method.refresh_steps and step and step % self.method.refresh_steps == 0:
            filled = closed_form_table(self.network, self.train, self.setting.segments)
            with torch.no_grad():
                self.table.copy_(filled)
        super().train_step()

    def _begin_pass(self) -> None:
        before = self.table.detach().clone()
        super()._begin_pass()
        if self.method.first_fill and self.progress.passes > 1:
            with torch.no_grad():
                self.table.copy_(before)


def warped_copies(
    packed: Packed, normalizer: Normalizer, method: Method, seed: int
) -> Iterator[Packed]:
    """Stretch the mel axis of each utterance by a factor of its own, as another vocal tract would.

    Args:
        packed: normalized frames of the train split.
        normalizer: of these frames.
        method: number of copies and largest stretch.
        seed: of the run.
    """
    import librosa

    mels = packed.rows.shape[1]
    hz = librosa.mel_frequencies(mels + 2, fmin=0, fmax=8000)[1:-1]
    for copy in range(method.copies):
        random = generator(seed, "warp", copy)
        rows = np.empty(packed.rows.shape, np.float32)
        for position, (offset, length) in enumerate(
            zip(packed.offsets, packed.lengths, strict=True)
        ):
            factor = random.uniform(1 - method.stretch, 1 + method.stretch)
            slope = method.tilt * random.normal() * np.linspace(-1, 1, mels)
            place = np.interp(np.minimum(hz * factor, hz[-1]), hz, np.arange(mels))
            below = np.floor(place).astype(int)
            share = place - below
            log_mel = packed[position] * normalizer.std + normalizer.mean
            above = np.minimum(below + 1, mels - 1)
            warped = log_mel[:, below] * (1 - share) + log_mel[:, above] * share + slope
            rows[offset : offset + length] = (warped - normalizer.mean) / normalizer.std
        yield Packed(rows, packed.utterance_ids, packed.offsets, packed.lengths)
