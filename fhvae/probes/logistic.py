"""Multinomial logistic regression, fitted to convergence, its penalty chosen on other data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fhvae.errors import ParamsError, TrialError
from fhvae.probes import newton


@dataclass(frozen=True)
class Standardizer:
    """Mean and standard deviation of each input over the fitting data.

    Attributes:
        mean, std: `[input]`; an input that never changes has std 1.
    """

    mean: np.ndarray
    std: np.ndarray

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Bring rows `[row, input]` to mean 0 and standard deviation 1, in float64."""
        return np.asarray((rows - self.mean) / self.std)


@dataclass(frozen=True)
class Classifier:
    """A linear softmax classifier.

    Attributes:
        standardizer: applied to the inputs first.
        classes: `[class]` labels, sorted.
        weights: `[class, input]`.
        biases: `[class]`.
        penalty: it was fitted under.
    """

    standardizer: Standardizer
    classes: np.ndarray
    weights: np.ndarray
    biases: np.ndarray
    penalty: float

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """Give the probability of each class, `[row, class]`."""
        logits = self.standardizer(rows) @ self.weights.T + self.biases
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def standardize_by(rows: np.ndarray) -> Standardizer:
    """Measure mean and standard deviation of the fitting data, `[row, input]`."""
    wide = rows.astype(np.float64)
    std = wide.std(axis=0)
    return Standardizer(wide.mean(axis=0), np.where(std > 0, std, 1.0))


def label_classes(labels: np.ndarray) -> np.ndarray:
    """Name the classes among labels, sorted.

    Raises:
        TrialError: there is only one.
    """
    classes = np.unique(labels)
    if len(classes) < 2:
        raise TrialError(f"a probe needs at least 2 labels to tell apart, found {len(classes)}")
    return np.asarray(classes)


def fit_classifiers(
    rows: np.ndarray, labels: np.ndarray, penalties: Sequence[float]
) -> Iterator[Classifier]:
    """Minimize mean cross-entropy + penalty / 2 * squared weights (biases are free).

    Yields one classifier per penalty, from the strongest to the weakest, each begun where the
    one before ended.

    Args:
        rows: `[row, input]`.
        labels: `[row]`.
        penalties: L2 weights per training row; scikit-learn's C is 1 / (penalty * rows).

    Raises:
        TrialError: there is only one label.
        ParamsError: a minimum was not reached in `newton.MAX_STEPS` steps.
    """
    from threadpoolctl import threadpool_limits

    classes = label_classes(labels)
    standardizer = standardize_by(rows)
    targets = np.searchsorted(classes, labels)
    weights = None
    for penalty in sorted(penalties, reverse=True):
        problem = newton.softmax_problem(standardizer(rows), targets, penalty)
        try:
            with threadpool_limits(1):  # sums in another order would change the last digits
                weights = newton.minimize(problem, weights)
        except newton.NotConverged as error:
            raise ParamsError(
                f"probes.penalties: a probe must converge in {newton.MAX_STEPS} steps and did "
                f"not at penalty {penalty:g}; take it out"
            ) from error
        yield Classifier(standardizer, classes, weights[:, :-1], weights[:, -1], penalty)


def fit_classifier(rows: np.ndarray, labels: np.ndarray, penalty: float) -> Classifier:
    """Fit one classifier; arguments and errors as `fit_classifiers`."""
    return next(fit_classifiers(rows, labels, [penalty]))
