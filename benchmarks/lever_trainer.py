"""Ways of training that were tried and are not params: schedules, refreshes, blocks, copies."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from fhvae.artifacts import Packed
from fhvae.features.normalize import Normalizer
from fhvae.seeds import generator
from fhvae.training.batches import SequenceData, Sequences
from fhvae.training.checkpoint import Checkpoint
from fhvae.training.dev import Monitor
from fhvae.training.loop import Setting, Trainer


@dataclass(frozen=True)
class Method:
    """What a lever changes beside params.

    Attributes:
        decay: learning rate falls linearly to 0 over the run.
        first_fill: the table of mu2 is filled in closed form once, at the first pass of a block.
        refresh_steps: the table is filled again every so many steps; 0: at each pass.
        block_passes: passes over a block before the next one is drawn.
        forget_moments: those that Adam has for a row of the table, and its count of steps, go
            when another sequence gets the row.
        select: "bound": the weights of the best dev bound are kept; "eer": of the lowest dev
            EER of mu2, of equals the last.
        noisy_copies: train utterances are also heard in the domains of `domains.train`.
        other_corpus: train utterances of another corpus are heard beside them.
        copies: of every train utterance with its frequency axis stretched, each a sequence.
        stretch: largest relative change of a frequency in a copy.
        tilt: standard deviation of a spectral tilt drawn per copy, nats from middle to edge.
    """

    decay: bool = False
    first_fill: bool = False
    refresh_steps: int = 0
    block_passes: int = 1
    forget_moments: bool = False
    select: str = "bound"
    noisy_copies: bool = False
    other_corpus: bool = False
    copies: int = 0
    stretch: float = 0.12
    tilt: float = 0.0


class NoCheckpoint(Checkpoint):
    """Keeps nothing: a lever is pulled anew."""

    def save(self, state: object) -> None:
        """Forget the state."""

    def load(self, device: torch.device) -> None:
        """Find nothing."""


class LeverTrainer(Trainer):
    """The training of the pipeline, with a method."""

    def __init__(
        self,
        setting: Setting,
        train: Sequences,
        dev: SequenceData,
        method: Method,
        checkpoint: Checkpoint,
        monitor: Monitor,
    ) -> None:
        super().__init__(setting, train, dev, checkpoint, monitor)
        self.method = method
        self.cpu_s: list[float] = []
        self._begun, self._at_dev = time.process_time(), 0.0

    def train_step(self) -> None:
        """Set the learning rate, refresh the table where it is time, take a step."""
        training, step = self.setting.training, self.progress.step
        if self.method.decay:
            left = 1 - step / (training.max_epochs * training.epoch_steps)
            for group in self.learner.optimizer.param_groups:
                group["lr"] = training.learning_rate * max(left, 1e-3)
        if self.method.refresh_steps and step and step % self.method.refresh_steps == 0:
            self.refill_table()
        super().train_step()

    def _end_epoch(self) -> None:
        """Do as the trainer does, and note the CPU seconds of the steps until now.

        Where the EER selects, keep its weights instead.
        """
        reached = time.process_time()
        self.cpu_s.append(reached - self._begun - self._at_dev)
        before = self.progress.best_weights
        super()._end_epoch()
        if self.method.select == "eer":
            rates = [record.dev.eer_mu2 or 0.0 for record in self.progress.curve]
            state = self.learner.kept.state_dict()
            self.progress.best_weights = (
                {name: value.detach().clone() for name, value in state.items()}
                if rates[-1] <= min(rates)
                else before
            )
        self._at_dev += time.process_time() - reached

    def block_of(self, pass_number: int) -> int:
        """Stay with a block for some passes."""
        return super().block_of(pass_number) // self.method.block_passes

    def begin_pass(self) -> None:
        """Begin it; leave the table, or forget its moments, where the method says so."""
        passes, block = self.progress.passes, self.block
        before = self.learner.table.detach().clone()
        super().begin_pass()
        is_new = block is None or self.block is not block
        if self.method.first_fill and not is_new and passes > 0:
            self.learner.refill(before)
        if self.method.forget_moments and self.blocks.hierarchical and is_new:
            for moment in self.learner.optimizer.state[self.learner.table].values():
                moment.zero_()


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
