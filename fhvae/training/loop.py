"""The training loop: steps, epochs, early stopping, kill and resume.

An epoch is a number of steps, after which dev is looked at; a pass goes once through the
training segments. The two are counted apart (paper-map: optimization).
"""

import logging
import math
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import torch
from torch import Tensor

from fhvae.errors import TrainingError
from fhvae.params.model import ModelParams
from fhvae.params.segments import SegmentsParams
from fhvae.params.training import TrainingParams
from fhvae.progress import progress_bar
from fhvae.seeds import stream_seed
from fhvae.segments import gather
from fhvae.training.augment import Augmentation, Hearing
from fhvae.training.batches import (
    Block,
    Blocks,
    SequenceData,
    Sequences,
    TrainingPass,
    draw_pass,
)
from fhvae.training.checkpoint import Checkpoint
from fhvae.training.dev import DevTerms, LatentUsage, Monitor, evaluate_dev
from fhvae.training.learner import TERMS, Learner
from fhvae.training.record import (
    EpochRecord,
    Progress,
    TrainedRun,
    TrainingLog,
    TrainTerms,
    collapse_reason,
)
from fhvae.training.table import closed_form_table
from fhvae.training.world import World

log = logging.getLogger(__name__)
CHECK_STEPS = 20  # steps between two looks at the running sums: divergence, signals, progress
CHECKPOINT_SECONDS = 300.0  # at most between two checkpoints, where epochs are longer


@dataclass(frozen=True)
class Setting:
    """What decides the course of a run."""

    alpha: float
    seed: int
    segments: SegmentsParams
    model: ModelParams
    training: TrainingParams


class Trainer:
    """A run over the train split with a look at dev after every epoch."""

    def __init__(
        self,
        setting: Setting,
        train: Sequences,
        dev: SequenceData,
        checkpoint: Checkpoint,
        monitor: Monitor | None = None,
        world: World | None = None,
        decibel: Tensor | None = None,
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Put the first weights on the device of `dev`.

        Args:
            setting: what decides the course.
            train: sequences; frames are read when they are needed.
            dev: frames that dev is looked at with.
            checkpoint: where the state is kept.
            monitor: computes an EER on dev, for the curve.
            world: the processes that train together; alone if None.
            decibel: what one is in the frames (`decibel_of`), where segments change in level.
            start: weights to train on; None: they are drawn.
        """
        self.setting, self.dev = setting, dev
        self.checkpoint, self.monitor = checkpoint, monitor
        self.world, self.device = world or World(), dev.frames.device
        training = setting.training
        self.sequences = len(train)
        self.blocks = Blocks(
            train,
            training.block_sequences,
            setting.segments,
            training.batch,
            setting.seed,
            self.device,
            self.world,
        )
        self.batch = self.world.share_of_batch(training.batch)
        self.learner = Learner(
            train.mels,
            self.blocks.rows,
            setting.alpha,
            setting.seed,
            setting.segments,
            setting.model,
            training,
            self.device,
            self.world,
        )
        if start is not None:
            self.learner.start_from(start)
        if decibel is not None:
            decibel = decibel.to(self.device)
        self.augmentation = Augmentation(training, setting.seed, self.world.rank, decibel)
        self.progress = Progress()
        self.sums = torch.zeros(TERMS, device=self.device)
        self.block: Block | None = None
        self.counts = torch.zeros(self.blocks.rows, device=self.device)
        self.current: TrainingPass | None = None
        self.hearing: Hearing | None = None
        self.log: TrainingLog | None = None
        self._start_watch()

    def _start_watch(self) -> None:
        """Measure speed, and the age of the checkpoint, from now on."""
        self.saved_at = self.measured_from = time.monotonic()
        self.measured_step = self.progress.step

    def run(self) -> TrainedRun:
        """Train until patience or max_epochs ends it, resuming from a checkpoint if there is one.

        The caller holds the checkpoint (`Checkpoint.held`).

        Raises:
            TrainingError: the bound became NaN or infinite, or a checkpoint is unusable.
            KeyboardInterrupt: Ctrl-C or SIGTERM came; the checkpoint holds all work.
        """
        try:
            self._resume()
            self._agree()
            if self.world.writes:
                self.log = TrainingLog(self.checkpoint.folder, len(self.progress.curve))
            self._start_watch()
            with noted_signals() as caught:
                self._train(caught)
        finally:
            self.blocks.close()
        return TrainedRun(
            weights={name: one.cpu() for name, one in self.progress.best_weights.items()},
            best=self.progress.best,
            curve=tuple(self.progress.curve),
        )

    def _train(self, caught: list[int]) -> None:
        """Take steps until the end; `caught` fills with the numbers of signals."""
        training, progress = self.setting.training, self.progress
        total, shown = training.max_epochs * training.epoch_steps, self.world.writes
        with progress_bar(None, "train", "step", total, initial=progress.step, shown=shown) as bar:
            while not progress.is_finished(training):
                self.train_step()
                bar.update()
                looks = progress.step % CHECK_STEPS == 0
                if looks:
                    bar.set_postfix_str(self.check().progress, refresh=False)
                ends_epoch = progress.step % training.epoch_steps == 0
                if ends_epoch:
                    self._end_epoch()
                stops = self._told_to_stop(caught, looks)
                if ends_epoch or stops or (looks and self._is_time()):
                    self._save()
                if stops:
                    raise KeyboardInterrupt

    def _told_to_stop(self, caught: list[int], looks: bool) -> bool:
        """Tell whether a signal came; several processes agree on the step, now and then."""
        if self.world.size == 1:
            return bool(caught)
        return looks and self.world.any(bool(caught), self.device)

    def _is_time(self) -> bool:
        """Tell whether the last checkpoint is old; rank 0 decides."""
        return self.world.from_first(time.monotonic() - self.saved_at > CHECKPOINT_SECONDS)

    def train_step(self) -> None:
        """Take one step of Adam on the next batch, drawing a new pass when one has ended."""
        if self.current is None or self.progress.batch == len(self.current):
            self.begin_pass()
        assert self.current is not None
        assert self.block is not None
        assert self.hearing is not None
        starts = self.current.starts[self.progress.batch]
        sequence = self.current.sequence[self.progress.batch]
        segments = gather(self.block.data.frames, starts, self.setting.segments.frames)
        drawn = self.hearing, self.progress.batch
        segments = self.augmentation.change(segments, *drawn)
        seen = self.augmentation.hide(segments, *drawn)
        self.sums += self.learner.step(segments, sequence, self.counts[sequence], *seen)
        self.progress.step += 1
        self.progress.batch += 1

    def begin_pass(self) -> None:
        """Draw the next pass; refill the table in closed form where that is asked for."""
        number = self.progress.passes
        self._enter_pass(number)
        if self.setting.training.mu2_table == "closed_form":
            self.refill_table()
        self.progress.passes += 1
        self.progress.batch = 0

    def _enter_pass(self, number: int) -> None:
        """Put the block and the draws of a pass in place."""
        setting = self.setting
        block_number = number if self.blocks.hierarchical else 0
        if self.block is None or self.block.number != block_number:
            self.block = self.current = None  # frees them before two more blocks are in memory
            self.block = self.blocks.take(block_number)
            self.counts = self.block.data.segments_in_sequence(
                setting.segments.frames, setting.segments.train_shift
            )
        self.current = draw_pass(
            self.block, setting.segments, self.batch, setting.seed, number, self.world.rank
        )
        self.hearing = self.augmentation.draw(
            number, self.current.starts, self.learner.network.mels
        )

    def refill_table(self) -> None:
        """Infer the table from the weights of now."""
        assert self.block is not None
        own = closed_form_table(self.learner.network, self.block.data, self.setting.segments)
        self.learner.refill(self.world.sum(own))

    def check(self) -> TrainTerms:
        """Take the means of the epoch so far, over all processes; a NaN must reach no file."""
        steps = (self.progress.step - 1) % self.setting.training.epoch_steps + 1
        sums = self.world.sum(self.sums.clone())
        means = TrainTerms(*(sums / (steps * self.world.size)).tolist())
        if not math.isfinite(means.lower_bound + means.log_q):
            last = self.progress.curve[-1].train.lower_bound if self.progress.curve else None
            known = (
                "none" if last is None else f"{last:.1f} nats at epoch {len(self.progress.curve)}"
            )
            raise TrainingError(
                f"training diverged: lower bound is {means.lower_bound} at epoch "
                f"{len(self.progress.curve) + 1}, step {self.progress.step}; last finite epoch "
                f"mean: {known}; {self._to_lower}"
            )
        return means

    @property
    def _to_lower(self) -> str:
        """Say what a training that diverged needs."""
        rate, alpha = self.setting.training.learning_rate, self.setting.alpha
        return f"lower training.learning_rate (now {rate:g}) or alpha (now {alpha:g})"

    def _end_epoch(self) -> None:
        """Look at dev, keep the best weights, write a line to the terminal and to the log."""
        setting, progress = self.setting, self.progress
        means = self.check()
        trained = (progress.step - self.measured_step) * setting.training.batch
        speed = trained / (time.monotonic() - self.measured_from)
        found = self.world.from_first(self.look_at_dev() if self.world.writes else None)
        assert found is not None
        dev, usage = found
        if not math.isfinite(dev.lower_bound):
            raise TrainingError(
                f"training diverged: dev lower bound is {dev.lower_bound} at step "
                f"{progress.step}; {self._to_lower}"
            )
        chance = -math.log(self.blocks.rows - setting.training.skip_nearest)
        collapsed = collapse_reason(
            means,
            dev,
            passes=progress.passes * self.blocks.rows / self.sequences,
            chance=chance,
            alpha=setting.alpha,
            limits=setting.training,
        )
        epoch = len(progress.curve) + 1
        record = EpochRecord(epoch, progress.step, progress.passes, means, dev, chance, collapsed)
        progress.curve.append(record)
        if progress.best is record:
            state = self.learner.kept.state_dict()
            progress.best_weights = {name: value.detach().clone() for name, value in state.items()}
        self.sums.zero_()
        if self.log is not None:
            self.log.add(record, usage, speed)
        self.measured_from, self.measured_step = time.monotonic(), progress.step

    def look_at_dev(self) -> tuple[DevTerms, LatentUsage]:
        """Evaluate dev, with the same noise each time."""
        setting, noise_seed = self.setting, stream_seed(self.setting.seed, "dev noise")
        return evaluate_dev(
            self.learner.kept,
            self.dev,
            setting.segments,
            noise_seed,
            self.monitor,
            setting.training.collapse_log_variance_x,
        )

    def _save(self) -> None:
        """Write the whole state, if it is sound."""
        self.check()
        self.saved_at = time.monotonic()
        # on the CPU: a tensor of one GPU would be unpacked on the same one by all processes
        own = {"noise": self.learner.noise.get_state(), "sums": self.sums.cpu()}
        of_each = self.world.all_values(own)
        if not self.world.writes:
            return
        self.checkpoint.save(
            {
                **self.learner.state_dict(),
                "of_each": of_each,
                **self.progress.state_dict(),
            }
        )

    def _agree(self) -> None:
        """Refuse to train together from different states.

        No process goes on before all have read the checkpoint.
        """
        own = self.checkpoint.name, self.progress.step
        everybody = self.world.all_values(own)
        if len(set(everybody)) > 1:
            found = ", ".join(f"{name} at step {step}" for name, step in everybody)
            raise TrainingError(
                "all processes must train the same run from the same checkpoint, found "
                f"{found}; give all the same params, frames and FHVAE_CKPT_DIR, on a disk that "
                "they share"
            )

    def _resume(self) -> None:
        """Take up a checkpoint of this very run, if there is one."""
        state = self.checkpoint.load(self.device)
        if state is None:
            return
        progress = Progress.from_state(state)
        if progress.was_finished(self.setting.training):
            if self.world.writes:
                self.checkpoint.put_aside()
            return
        self.learner.load_state_dict(state)
        self.progress = progress
        if self.world.writes:
            log.info("resumed at step %d from %s", self.progress.step, self.checkpoint.path)
        of_each = state["of_each"]
        if len(of_each) == self.world.size:
            self.learner.noise.set_state(of_each[self.world.rank]["noise"].cpu())
            self.sums.copy_(of_each[self.world.rank]["sums"])
            if self.progress.passes > 0:
                self._enter_pass(self.progress.passes - 1)
            return
        # Not bit-equal, but the same in law: the rest of the pass is left out.
        if self.world.writes:
            log.info(
                "trained by %d processes until now, by %d from here", len(of_each), self.world.size
            )
        self.sums.copy_(sum(one["sums"] for one in of_each) / len(of_each))
        names = ("noise", self.world.rank, "from step", self.progress.step)
        self.learner.noise.manual_seed(stream_seed(self.setting.seed, *names))


@contextmanager
def noted_signals() -> Iterator[list[int]]:
    """Collect Ctrl-C, SIGTERM and SIGHUP, and do not die of them: the step in hand is saved.

    The second one, if it is Ctrl-C, interrupts at once; DVC's end sends another SIGTERM.

    Raises:
        KeyboardInterrupt: Ctrl-C came second; what the last checkpoint holds is whole.
    """
    caught: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        if number == signal.SIGINT and len(caught) > 1:
            raise KeyboardInterrupt

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
