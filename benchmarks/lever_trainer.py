"""Ways of training that were tried and are not params: schedules, refreshes, blocks, copies."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from fhvae.artifacts import Packed
from fhvae.features.normalize import Normalizer
from fhvae.model.objective import SegmentTerms, log_q_sequence
from fhvae.seeds import generator
from fhvae.training.checkpoint import Checkpoint
from fhvae.training.data import SequenceData
from fhvae.training.dev import Monitor
from fhvae.training.loop import Setting, Trainer
from fhvae.training.passes import draw_pass
from fhvae.training.table import closed_form_table


@dataclass(frozen=True)
class Method:
    """What a lever changes beside params.

    Attributes:
        decay: learning rate falls linearly to 0 over the run.
        first_fill: the table of mu2 is filled in closed form once, at the first pass.
        refresh_steps: the table is filled again every so many steps; 0: at each pass.
        block_sequences: K; each pass goes over that many sequences drawn anew, and only they
            compete in the discriminative term; 0: all.
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
    block_sequences: int = 0
    select: str = "bound"
    noisy_copies: bool = False
    other_corpus: bool = False
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
        self.whole = train
        self.block = torch.arange(train.sequences)

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

    def _end_epoch(self) -> None:
        """Do as the trainer does; where the EER selects, keep its weights instead."""
        before = self.progress.best_weights
        super()._end_epoch()
        if self.method.select == "eer":
            rates = [record.dev.eer_mu2 or 0.0 for record in self.progress.curve]
            state = self.kept.state_dict()
            self.progress.best_weights = (
                {name: value.detach().clone() for name, value in state.items()}
                if rates[-1] <= min(rates)
                else before
            )

    def _log_q(self, terms: SegmentTerms, sequence: Tensor) -> Tensor:
        """Let only the rows of the block compete."""
        if not self.method.block_sequences:
            return super()._log_q(terms, sequence)
        rows, place = self.table[self.block], torch.searchsorted(self.block, sequence)
        with torch.set_grad_enabled(self.setting.alpha > 0):
            return log_q_sequence(terms.z2.mean, rows, place, self.setting.model.z2_std)

    def _draw_block(self) -> None:
        """Take K sequences; the pass, and nothing else, sees their utterances alone."""
        random = generator(self.setting.seed, "block", self.progress.passes)
        chosen = random.choice(self.whole.sequences, self.method.block_sequences, replace=False)
        self.block = torch.from_numpy(np.sort(chosen))
        kept = np.isin(self.whole.sequence, chosen)
        self.train = replace(
            self.whole,
            offsets=self.whole.offsets[kept],
            lengths=self.whole.lengths[kept],
            sequence=self.whole.sequence[kept],
        )

    def _begin_pass(self) -> None:
        if self.method.block_sequences:
            self._draw_block()
            setting, training = self.setting, self.setting.training
            self.current = draw_pass(
                self.train, setting.segments, training.batch, setting.seed, self.progress.passes
            )
            place = np.searchsorted(self.block.numpy(), self.train.sequence)
            local = replace(self.train, sequence=place)
            with torch.no_grad():
                self.table[self.block] = closed_form_table(self.network, local, setting.segments)
            self.progress.passes += 1
            self.progress.batch = 0
            return
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
