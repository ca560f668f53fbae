"""Linear regression with an L2 penalty, in closed form."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fhvae.probes.logistic import Standardizer, standardize_by


@dataclass(frozen=True)
class Regression:
    """A linear map to one number.

    Attributes:
        standardizer: applied to the inputs first.
        weights: `[input]`.
        offset: the mean of the fitting targets.
        penalty: it was fitted under.
    """

    standardizer: Standardizer
    weights: np.ndarray
    offset: float
    penalty: float

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Give the number of each row, `[row]`."""
        return np.asarray(self.standardizer(rows) @ self.weights + self.offset)


def fit_regressions(
    rows: np.ndarray, targets: np.ndarray, penalties: Sequence[float]
) -> Iterator[Regression]:
    """Minimize mean squared error / 2 + penalty / 2 * squared weights, once per penalty.

    Args:
        rows: `[row, input]`.
        targets: `[row]`.
        penalties: L2 weights per training row, used from the strongest to the weakest.
    """
    from threadpoolctl import threadpool_limits

    standardizer = standardize_by(rows)
    inputs = standardizer(rows)
    offset = float(targets.mean())
    with threadpool_limits(1):  # sums in another order would change the last digits
        widths, axes = np.linalg.eigh(inputs.T @ inputs / len(inputs))
        pulled = axes.T @ (inputs.T @ (targets - offset)) / len(inputs)
    for penalty in sorted(penalties, reverse=True):
        weights = axes @ (pulled / (np.maximum(widths, 0) + penalty))
        yield Regression(standardizer, weights, offset, penalty)
