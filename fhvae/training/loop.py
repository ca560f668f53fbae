"""The training loop: steps, epochs, early stopping, kill and resume.

An epoch is a number of steps, after which dev is looked at; a pass goes once through the
training segments. The two are counted apart (paper-map: optimization).
"""

import logging
import math
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from fhvae.errors import TrainingError
from fhvae.model.network import FHVAE, new_network
from fhvae.model.objective import SegmentTerms, log_q_sequence, segment_terms
from fhvae.params import ModelParams, SegmentsParams, TrainingParams
from fhvae.progress import progress_bar
from fhvae.seeds import stream_seed
from fhvae.segments import gather
from fhvae.training.average import RunningAverage
from fhvae.training.checkpoint import Checkpoint
from fhvae.training.data import SequenceData
from fhvae.training.dev import DevTerms, Monitor, evaluate_dev
from fhvae.training.passes import TrainingPass, draw_pass
from fhvae.training.record import EpochRecord, TrainTerms, collapse_reason
from fhvae.training.table import closed_form_table, new_table

log = logging.getLogger(__name__)
CHECK_STEPS = 20  # steps between two looks at the running sums: divergence, progress bar


@dataclass(frozen=True)
class Setting:
    """What decides the course of a run."""

    alpha: float
    seed: int
    segments: SegmentsParams
    model: ModelParams
    training: TrainingParams


@dataclass(frozen=True)
class TrainedRun:
    """The outcome: best weights on the CPU, and the curve that led there."""

    weights: dict[str, Tensor]
    best: EpochRecord
    curve: tuple[EpochRecord, ...]


@dataclass
class Progress:
    """Where a run stands; with weights, optimizer and noise, all that a resume needs."""

    step: int = 0
    passes: int = 0
    batch: int = 0  # next batch of the current pass
    curve: list[EpochRecord] = field(default_factory=list)
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    @property
    def best(self) -> EpochRecord:
        """The epoch with the highest dev lower bound; of equals, the first."""
        return max(self.curve, key=lambda record: record.dev.lower_bound)


class Trainer:
    """A run over the train split with a look at dev after every epoch."""

    def __init__(
        self,
        setting: Setting,
        train: SequenceData,
        dev: SequenceData,
        checkpoint: Checkpoint,
        monitor: Monitor | None = None,
    ) -> None:
        self.setting, self.train, self.dev = setting, train, dev
        self.checkpoint, self.monitor = checkpoint, monitor
        device = train.frames.device
        # The one use of PyTorch's global generator: initial weights, then the table.
        self.network = new_network(
            train.frames.shape[1], setting.segments.frames, setting.model, setting.seed
        ).to(device)
        self.table = new_table(train.sequences, setting.model, device)
        self.noise = torch.Generator(device).manual_seed(stream_seed(setting.seed, "noise"))
        trained = [weight for weight in self.network.parameters() if weight.requires_grad]
        self.optimizer = torch.optim.Adam(
            [*trained, self.table],
            lr=setting.training.learning_rate,
            betas=(setting.training.adam_beta1, setting.training.adam_beta2),
            fused=True,
        )
        share = setting.training.average
        self.average = RunningAverage(self.network, share) if share else None
        self.counts = train.segments_in_sequence(
            setting.segments.frames, setting.segments.train_shift
        )
        self.progress = Progress()
        self.sums = torch.zeros(6, device=device)
        self.current: TrainingPass | None = None

    def run(self) -> TrainedRun:
        """Train until patience or max_epochs ends it, resuming from a checkpoint if there is one.

        Raises:
            TrainingError: the bound became NaN or infinite.
            KeyboardInterrupt: Ctrl-C or SIGTERM came; the checkpoint holds all work.
        """
        self._resume()
        training = self.setting.training
        total = training.max_epochs * training.epoch_steps
        bar = progress_bar(None, "train", "step", total, initial=self.progress.step)
        with bar, _catch_signals() as caught:
            while not self._finished():
                self.train_step()
                bar.update()
                if self.progress.step % CHECK_STEPS == 0:
                    bar.set_postfix_str(self._check().progress, refresh=False)
                if self.progress.step % training.epoch_steps == 0:
                    self._end_epoch()
                if caught:
                    self._check()
                    self._save()
                    raise KeyboardInterrupt
        return TrainedRun(
            weights=self.progress.best_weights,
            best=self.progress.best,
            curve=tuple(self.progress.curve),
        )

    def train_step(self) -> None:
        """Take one step of Adam on the next batch, drawing a new pass when one has ended."""
        if self.current is None or self.progress.batch == len(self.current):
            self._begin_pass()
        assert self.current is not None
        starts = self.current.starts[self.progress.batch]
        sequence = self.current.sequence[self.progress.batch]
        segments = gather(self.train.frames, starts, self.setting.segments.frames)
        terms = segment_terms(
            self.network,
            segments,
            self.table.index_select(0, sequence),
            self.counts[sequence],
            self.noise,
        )
        log_q = self._log_q(terms, sequence)
        bound = terms.lower_bound
        loss = -bound.mean()
        if self.setting.alpha > 0:
            loss = loss - self.setting.alpha * log_q.mean()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.network)
        self._add(bound, terms, log_q)
        self.progress.step += 1
        self.progress.batch += 1

    @property
    def kept(self) -> FHVAE:
        """The networks that dev is shown and that are kept: averaged, if that is asked for."""
        return self.network if self.average is None else self.average.network

    def _log_q(self, terms: SegmentTerms, sequence: Tensor) -> Tensor:
        """Evaluate the discriminative term; without gradient where alpha is 0."""
        with torch.set_grad_enabled(self.setting.alpha > 0):
            return log_q_sequence(terms.z2.mean, self.table, sequence, self.setting.model.z2_std)

    @torch.no_grad()
    def _add(self, bound: Tensor, terms: SegmentTerms, log_q: Tensor) -> None:
        """Add a step to the running means of the epoch, on the device."""
        parts = (bound, terms.log_px, terms.kl_z1, terms.kl_z2, terms.log_pmu2, log_q)
        self.sums += torch.stack([part.mean() for part in parts])

    def _begin_pass(self) -> None:
        """Draw the next pass; refill the table in closed form where that is asked for."""
        setting = self.setting
        self.current = draw_pass(
            self.train, setting.segments, setting.training.batch, setting.seed, self.progress.passes
        )
        if setting.training.mu2_table == "closed_form":
            with torch.no_grad():
                self.table.copy_(closed_form_table(self.network, self.train, setting.segments))
        self.progress.passes += 1
        self.progress.batch = 0

    def _means(self) -> TrainTerms:
        """Take the means of the epoch so far."""
        steps = (self.progress.step - 1) % self.setting.training.epoch_steps + 1
        return TrainTerms(*(self.sums / steps).tolist())

    def _check(self) -> TrainTerms:
        """Take the means; stop before a NaN can reach a file."""
        means = self._means()
        if not math.isfinite(means.lower_bound + means.log_q):
            last = self.progress.curve[-1].train.lower_bound if self.progress.curve else None
            known = (
                "none" if last is None else f"{last:.1f} nats at epoch {len(self.progress.curve)}"
            )
            raise TrainingError(
                f"training diverged: lower bound is {means.lower_bound} at epoch "
                f"{len(self.progress.curve) + 1}, step {self.progress.step}; last finite epoch "
                f"mean: {known}; lower training.learning_rate (now "
                f"{self.setting.training.learning_rate:g})"
            )
        return means

    def _end_epoch(self) -> None:
        """Look at dev, keep the best weights, log a line, save the checkpoint."""
        setting, progress = self.setting, self.progress
        means = self._check()
        noise_seed = stream_seed(setting.seed, "dev noise")
        dev = evaluate_dev(self.kept, self.dev, setting.segments, noise_seed, self.monitor)
        if not math.isfinite(dev.lower_bound):
            raise TrainingError(
                f"training diverged: dev lower bound is {dev.lower_bound} at step "
                f"{progress.step}; lower training.learning_rate "
                f"(now {setting.training.learning_rate:g})"
            )
        chance = -math.log(self.train.sequences)
        collapsed = collapse_reason(
            means,
            dev,
            passes=progress.passes,
            chance=chance,
            alpha=setting.alpha,
            limits=setting.training,
        )
        epoch = len(progress.curve) + 1
        record = EpochRecord(epoch, progress.step, progress.passes, means, dev, chance, collapsed)
        progress.curve.append(record)
        if progress.best is record:
            state = self.kept.state_dict()
            progress.best_weights = {name: value.detach().clone() for name, value in state.items()}
        self.sums.zero_()
        self._save()
        _log_epoch(record)

    def _finished(self) -> bool:
        """Tell whether max_epochs or patience has ended the run."""
        return is_finished(self.progress.curve, self.setting.training)

    def _save(self) -> None:
        """Write the whole state."""
        progress = self.progress
        self.checkpoint.save(
            {
                "network": self.network.state_dict(),
                "average": {} if self.average is None else self.average.state_dict(),
                "table": self.table.detach(),
                "optimizer": self.optimizer.state_dict(),
                "noise": self.noise.get_state(),
                "sums": self.sums,
                "step": progress.step,
                "passes": progress.passes,
                "batch": progress.batch,
                "curve": [_to_plain(record) for record in progress.curve],
                "best_weights": progress.best_weights,
            }
        )

    def _resume(self) -> None:
        """Take up a checkpoint of this very run, if there is one."""
        state = self.checkpoint.load(self.train.frames.device)
        if state is None:
            return
        curve = [_from_plain(item) for item in state["curve"]]
        if any(is_finished(curve[:end], self.setting.training) for end in range(len(curve))):
            log.info("%s has trained longer than asked for now: not used", self.checkpoint.path)
            return
        self.network.load_state_dict(state["network"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        with torch.no_grad():
            self.table.copy_(state["table"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.noise.set_state(state["noise"].cpu())
        self.sums.copy_(state["sums"])
        self.progress = Progress(
            state["step"], state["passes"], state["batch"], curve, state["best_weights"]
        )
        if self.progress.passes > 0:
            setting = self.setting
            self.current = draw_pass(
                self.train,
                setting.segments,
                setting.training.batch,
                setting.seed,
                self.progress.passes - 1,
            )
        log.info("resumed at step %d from %s", self.progress.step, self.checkpoint.path)


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


def _log_epoch(record: EpochRecord) -> None:
    """Write the line that a person waits for."""
    eer = "" if record.dev.eer_mu2 is None else f", dev EER of mu2 {record.dev.eer_mu2:.1%}"
    log.info(
        "epoch %d: train bound %.1f, dev bound %.1f, dev KL z1 %.1f, z2 %.1f, variance of z2 "
        "means %.1f, log q %.2f (chance %.2f)%s",
        record.epoch,
        record.train.lower_bound,
        record.dev.lower_bound,
        record.dev.kl_z1,
        record.dev.kl_z2,
        record.dev.z2_mean_variance,
        record.train.log_q,
        record.log_q_of_chance,
        eer,
    )
    if record.collapsed:
        log.warning("epoch %d: z2 looks collapsed: %s", record.epoch, record.collapsed)


@contextmanager
def _catch_signals() -> Iterator[list[int]]:
    """Note Ctrl-C and SIGTERM instead of dying of them, so that the step in hand is finished."""
    caught: list[int] = []
    before = {
        number: signal.signal(number, lambda found, _: caught.append(found))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
