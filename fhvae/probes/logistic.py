"""Multinomial logistic regression, fitted to convergence, its penalty chosen on other data."""

import warnings
from dataclasses import dataclass

import numpy as np

from fhvae.errors import ParamsError, TrialError

MAX_ITERATIONS = 20_000
GRADIENT_TOLERANCE = 1e-5  # of the mean cross-entropy per sample, in each weight


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
    """

    standardizer: Standardizer
    classes: np.ndarray
    weights: np.ndarray
    biases: np.ndarray

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Give the most probable label of each row, `[row]`."""
        logits = self.standardizer(rows) @ self.weights.T + self.biases
        return np.asarray(self.classes[np.argmax(logits, axis=1)])


def standardize_by(rows: np.ndarray) -> Standardizer:
    """Measure mean and standard deviation of the fitting data, `[row, input]`."""
    wide = rows.astype(np.float64)
    std = wide.std(axis=0)
    return Standardizer(wide.mean(axis=0), np.where(std > 0, std, 1.0))


def fit_classifier(rows: np.ndarray, labels: np.ndarray, penalty: float) -> Classifier:
    """Minimize mean cross-entropy + penalty / 2 * squared weights (biases are free).

    Args:
        rows: `[row, input]`.
        labels: `[row]`.
        penalty: L2 weight per training sample; scikit-learn's C is 1 / (penalty * rows).

    Raises:
        TrialError: there is only one label.
        ParamsError: the minimum was not reached in `MAX_ITERATIONS`.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    classes, targets = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise TrialError(f"a probe needs at least 2 labels to tell apart, found {len(classes)}")
    standardizer = standardize_by(rows)
    # For two classes scikit-learn fits w = w1 - w0 alone; the least w0^2 + w1^2 is w^2 / 2.
    strength = penalty / 2 if len(classes) == 2 else penalty
    model = LogisticRegression(
        C=1 / (strength * len(rows)), tol=GRADIENT_TOLERANCE, max_iter=MAX_ITERATIONS
    )
    # One thread: sums in another order would change the last digits.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            model.fit(standardizer(rows), targets)
        except ConvergenceWarning as warning:
            raise ParamsError(
                f"probes.penalties: a probe must converge in {MAX_ITERATIONS} iterations and did "
                f"not at penalty {penalty:g} ({' '.join(str(warning).split())}); take it out"
            ) from warning
    weights, biases = model.coef_, model.intercept_
    if len(classes) == 2:
        weights, biases = np.vstack([-weights, weights]) / 2, np.append(-biases, biases) / 2
    return Classifier(standardizer, classes, weights, biases)
