"""What a run leaves behind: a record per epoch, where it stands, a log for those who watch.

The log is a line of JSON per epoch. It may hold what metrics must not: speed. It lies beside
the checkpoint and stays there:

    pandas.read_json("checkpoints/<fingerprint>/log.jsonl", lines=True)
"""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from fhvae.files.atomic import new_file
from fhvae.params.training import TrainingParams
from fhvae.training.dev import DevTerms, LatentUsage

log = logging.getLogger(__name__)
LOG = "log.jsonl"


@dataclass(frozen=True)
class TrainTerms:
    """Means over the training segments of an epoch, in nats."""

    lower_bound: float
    log_px: float
    kl_z1: float
    kl_z2: float
    log_pmu2: float
    log_q: float

    @property
    def progress(self) -> str:
        """The terms as the progress bar shows them."""
        return (
            f"bound {self.lower_bound:.0f} | x {self.log_px:.0f} | KL z1 {self.kl_z1:.0f} "
            f"z2 {self.kl_z2:.0f} | log q {self.log_q:.1f}"
        )


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch left behind.

    Attributes:
        epoch: from 1.
        step: steps done.
        passes: begun, each over the segments of a block.
        train, dev: means of the terms.
        log_q_of_chance: -ln(sequences of a block that compete), where log q rests if z2 knows
            nothing of them.
        collapsed: why the run looks collapsed, "" if it does not.
    """

    epoch: int
    step: int
    passes: int
    train: TrainTerms
    dev: DevTerms
    log_q_of_chance: float
    collapsed: str

    def row(self) -> dict[str, float | int | str | None]:
        """Lay the record out as a row of learning_curve.csv."""
        train = {f"train_{name}": value for name, value in vars(self.train).items()}
        dev = {
            name if name.endswith("_variance") else f"dev_{name}": value
            for name, value in vars(self.dev).items()
        }
        head = {"epoch": self.epoch, "step": self.step, "passes": self.passes}
        tail = {"log_q_of_chance": self.log_q_of_chance, "collapsed": self.collapsed}
        return {**head, **train, **dev, **tail}


def collapse_reason(
    train: TrainTerms,
    dev: DevTerms,
    *,
    passes: float,
    chance: float,
    alpha: float,
    limits: TrainingParams,
) -> str:
    """Say why a run looks collapsed, or "": z2 says nothing, or the decoder knows silence by heart.

    The bound and the count of active dimensions do not show it; these four do
    (docs/decisions/0004-mu2-table.md, 0021-silence.md).

    Args:
        train, dev: the epoch's terms.
        passes: begun over the whole corpus; before the third log q is given time.
        chance: -ln(sequences of a block that compete).
        alpha: log q is only asked for where it is trained.
        limits: `collapse_kl_z2` and `collapse_variance_z2`, below which z2 carries too little;
            `collapse_log_q`, which a working z2 has above chance by the second pass;
            `collapse_certain_share`, above which the decoder has learned what never varies.
    """
    if dev.kl_z2 < limits.collapse_kl_z2:
        return f"dev KL of z2 is {dev.kl_z2:.1f} nats, below {limits.collapse_kl_z2:g}"
    if dev.z2_mean_variance < limits.collapse_variance_z2:
        found, least = dev.z2_mean_variance, limits.collapse_variance_z2
        return f"variance of the z2 means is {found:.2f}, below {least:g}"
    if alpha > 0 and passes > 2 and train.log_q < chance + limits.collapse_log_q:
        return f"log q is {train.log_q:.2f} nats, -ln(sequences) is {chance:.2f}"
    if dev.certain_share > limits.collapse_certain_share:
        return (
            f"the decoder's log-variance is below {limits.collapse_log_variance_x:g} in "
            f"{dev.certain_share:.0%} of dev, above {limits.collapse_certain_share:.0%}: "
            "look for digital silence (metrics/fbank.json)"
        )
    return ""


@dataclass(frozen=True)
class TrainedRun:
    """The outcome: best weights on the device, and the curve that led there."""

    weights: dict[str, Tensor]
    best: EpochRecord
    curve: tuple[EpochRecord, ...]

    def metrics(self, batch: int, sequences: int) -> dict[str, Any]:
        """Lay out metrics/train.json: the best epoch, and whether it collapsed there.

        Args:
            batch: segments of a step.
            sequences: that the train split has.
        """
        best, last = self.best, self.curve[-1]
        eers = {"mu2": best.dev.eer_mu2, "mu1": best.dev.eer_mu1}
        return {
            "dev_lower_bound": best.dev.lower_bound,
            "best_epoch": best.epoch,
            "steps": last.step,
            "segments": last.step * batch,
            "passes": last.passes,
            "sequences": sequences,
            "dev_log_px": best.dev.log_px,
            "dev_kl_z1": best.dev.kl_z1,
            "collapse": {
                "collapsed": int(bool(best.collapsed)),
                "dev_kl_z2": best.dev.kl_z2,
                "z2_mean_variance": best.dev.z2_mean_variance,
                "log_q": best.train.log_q,
                "log_q_of_chance": best.log_q_of_chance,
                "certain_share": best.dev.certain_share,
            },
            "dev_eer": {name: eer for name, eer in eers.items() if eer is not None},
        }


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
        return _best(self.curve)

    def is_finished(self, training: TrainingParams) -> bool:
        """Tell whether the run ends here: max_epochs reached, or patience used up."""
        return _ends(self.curve, training)

    def was_finished(self, training: TrainingParams) -> bool:
        """Tell whether a run that ends where `training` says would have ended before."""
        return any(_ends(self.curve[:end], training) for end in range(len(self.curve)))

    def state_dict(self) -> dict[str, Any]:
        """Give what a checkpoint may hold: dicts, lists, numbers and tensors, no classes."""
        return {**vars(self), "curve": [asdict(record) for record in self.curve]}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Undo `state_dict`; other keys of the checkpoint are left alone."""
        own = {one.name: state[one.name] for one in fields(cls)}
        curve = [
            EpochRecord(
                **{**plain, "train": TrainTerms(**plain["train"]), "dev": DevTerms(**plain["dev"])}
            )
            for plain in state["curve"]
        ]
        return cls(**{**own, "curve": curve})


def _best(curve: Sequence[EpochRecord]) -> EpochRecord:
    return max(curve, key=lambda record: record.dev.lower_bound)


def _ends(curve: Sequence[EpochRecord], training: TrainingParams) -> bool:
    if not curve:
        return False
    without_gain = len(curve) - _best(curve).epoch
    return len(curve) >= training.max_epochs or without_gain > training.patience


class TrainingLog:
    """Tells of epochs; a resumed run takes back what its checkpoint does not know of."""

    def __init__(self, folder: Path, epochs: int) -> None:
        """Keep the lines of the first `epochs` epochs of a log that is there."""
        self.path = folder / LOG
        if not self.path.exists():
            return
        lines = self.path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if _epoch(line) <= epochs]
        if len(kept) < len(lines):
            with new_file(self.path) as partial:
                partial.write_bytes(b"".join(kept))

    def add(self, record: EpochRecord, usage: LatentUsage, segments_per_second: float) -> None:
        """Append an epoch to the file, and write its line to the terminal.

        Args:
            record: all terms.
            usage: of the dimensions.
            segments_per_second: trained on since the last look at dev; wall time.
        """
        _tell(record)
        line: dict[str, Any] = {
            **record.row(),
            **vars(usage),
            "segments_per_second": round(segments_per_second, 1),
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:  # no reason to end a training
            log.warning("%s cannot be written (%s)", self.path, error.strerror or error)


def _tell(record: EpochRecord) -> None:
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
        log.warning("epoch %d: looks collapsed: %s", record.epoch, record.collapsed)


def _epoch(line: bytes) -> float:
    """Read the epoch of a line; infinite for one that a kill has cut off, or a disk has spoiled."""
    try:
        return int(json.loads(line)["epoch"]) if line.endswith(b"\n") else math.inf
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return math.inf
