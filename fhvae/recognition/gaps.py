"""What a mismatch costs FBANK, and how much of it another input gains: points, then the share.

    cost = PER of FBANK mismatched - PER of FBANK topline
    gain = PER of FBANK mismatched - PER of the input mismatched
    recovered = gain / cost

A ratio says nothing where its denominator may be 0. It is given where the interval of the cost
lies above 0, with the interval of Fieller (1954): all ratios r at which gain - r * cost is no
further from 0 than chance allows. Variances and covariance are the jackknife's over speakers, the
quantile is Student's.
"""

from dataclasses import dataclass

import numpy as np

from fhvae.intervals import LEVEL, Interval, leave_one_out, t_interval
from fhvae.recognition.cells import Cell


@dataclass(frozen=True)
class Gap:
    """What an input recovers of what a mismatch costs FBANK; differences of error rates.

    Attributes:
        cost: PER of FBANK mismatched minus PER of FBANK trained where it is tested.
        gain: PER of FBANK mismatched minus PER of the input, equally mismatched.
        recovered: gain / cost; None where the interval of the cost does not lie above 0, or
            there is none.
    """

    cost: Interval
    gain: Interval
    recovered: Interval | None


def recovered_gap(fbank: Cell, own: Cell, topline: Cell) -> Gap:
    """Compare three cells of one test side, paired: without the same speaker each time.

    Args:
        fbank: FBANK, mismatched.
        own: the input, equally mismatched.
        topline: FBANK, trained where it is tested.

    Raises:
        ValueError: the cells do not have the same speakers.
    """
    if not fbank.speakers == own.speakers == topline.speakers:
        raise ValueError("the cells of a gap must have the same test speakers")
    gains, costs = (_left_out(fbank) - _left_out(other) for other in (own, topline))
    gain = t_interval(fbank.rate - own.rate, gains)
    cost = t_interval(fbank.rate - topline.rate, costs)
    recovered = None
    if cost.is_above_zero:
        covariance = jackknife_covariance(gains, costs)
        recovered = fieller(gain.value, cost.value, covariance, len(fbank.speakers) - 1)
    return Gap(cost, gain, recovered)


def _left_out(cell: Cell) -> np.ndarray:
    return leave_one_out(cell.errors, cell.phones)


def jackknife_covariance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Estimate the covariance of two quantities from their values without each speaker.

    Args:
        one, other: `[speaker left out]`.

    Returns:
        `[2, 2]`.
    """
    speakers = len(one)
    away = np.stack([one - one.mean(), other - other.mean()])
    return np.asarray((speakers - 1) / speakers * (away @ away.T))


def fieller(
    numerator: float, denominator: float, covariance: np.ndarray, freedom: int
) -> Interval | None:
    """Give a ratio with its interval; None where the interval would have no end.

    The bounds solve (a - r b)^2 = t^2 (v_aa - 2 r v_ab + r^2 v_bb) for r.

    Args:
        numerator, denominator: a and b, estimated together.
        covariance: of the two, `[2, 2]`.
        freedom: degrees of freedom of t.
    """
    from scipy.stats import t

    own, both, other = t.ppf((1 + LEVEL) / 2, freedom) ** 2 * covariance[[0, 0, 1], [0, 1, 1]]
    square = denominator**2 - other  # of r; b^2 > t^2 v_bb: the denominator is not 0
    if square <= 0:
        return None
    middle = numerator * denominator - both
    reach = np.sqrt(max(0.0, middle**2 - square * (numerator**2 - own)))
    low, high = (middle - reach) / square, (middle + reach) / square
    return Interval(numerator / denominator, float(low), float(high))
