"""One row of the learning curve, and whether z2 has collapsed."""

from dataclasses import dataclass

from fhvae.params.training import TrainingParams
from fhvae.training.dev import DevTerms

LOG_Q_MARGIN = 0.5  # nats above -ln M; by the second pass a working z2 is beyond it


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
        log_q_of_chance: -ln(sequences of a block), where log q rests if z2 knows nothing of them.
        collapsed: why z2 looks collapsed, "" if it does not.
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
    """Say why z2 looks collapsed, or "".

    The bound and the count of active dimensions do not show a collapse
    (docs/decisions/0004-mu2-table.md); these three do.

    Args:
        train, dev: the epoch's terms.
        passes: begun over the whole corpus; before the third log q is given time.
        chance: -ln(sequences of a block).
        alpha: log q is only asked for where it is trained.
        limits: `collapse_kl_z2` and `collapse_variance_z2`, below which z2 carries too little.
    """
    if dev.kl_z2 < limits.collapse_kl_z2:
        return f"dev KL of z2 is {dev.kl_z2:.1f} nats, below {limits.collapse_kl_z2:g}"
    if dev.z2_mean_variance < limits.collapse_variance_z2:
        found, least = dev.z2_mean_variance, limits.collapse_variance_z2
        return f"variance of the z2 means is {found:.2f}, below {least:g}"
    if alpha > 0 and passes > 2 and train.log_q < chance + LOG_Q_MARGIN:
        return f"log q is {train.log_q:.2f} nats, -ln(sequences) is {chance:.2f}"
    return ""
