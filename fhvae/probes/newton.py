"""The minimum of a penalized softmax cross-entropy, by Newton steps.

Each step is solved by preconditioned conjugate gradients (Nocedal and Wright, Numerical
Optimization, 2006, section 7.1). Weak penalties make the problem so badly scaled that a
quasi-Newton method needs thousands of steps; this one needs tens.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

MAX_STEPS = 100  # beyond, the fit is refused and not used: no result rests on it
GRADIENT_TOLERANCE = 1e-5  # of the mean cross-entropy per row, in nats, in each weight
CONJUGATE_STEPS = 300  # in one Newton step; what is left goes to the next
FORCING = 0.1  # a Newton step is solved to this share of the gradient, or better near the end
BLOCK_INPUTS = 128  # up to here each class has a preconditioner of its own
SUFFICIENT_DECREASE = 1e-4  # share of the slope that a step must gain: Armijo's rule
ROUNDING = 1e-12  # of the loss: no line search below
TINY_CURVATURE = 1e-9  # keeps the preconditioner invertible where a class is certain


class NotConverged(Exception):  # noqa: N818 - a signal between two modules, never shown
    """The gradient stayed above the tolerance."""


@dataclass(frozen=True)
class Softmax:
    """A penalized softmax cross-entropy: mean over rows + penalty / 2 * squared weights.

    Attributes:
        inputs: `[row, input + 1]` float64, the last column 1 for the biases.
        inputs32: the same in float32, for products that need no more.
        targets: `[row, class]` float64, one 1 in each row.
        penalty: `[input + 1]`, 0 for the biases.
    """

    inputs: np.ndarray
    inputs32: np.ndarray
    targets: np.ndarray
    penalty: np.ndarray


@dataclass(frozen=True)
class Point:
    """Where the search stands.

    Attributes:
        weights: `[class, input + 1]`.
        loss: nats per row, with the penalty.
        gradient: like `weights`.
        probabilities: `[row, class]`.
    """

    weights: np.ndarray
    loss: float
    gradient: np.ndarray
    probabilities: np.ndarray


def softmax_problem(rows: np.ndarray, targets: np.ndarray, penalty: float) -> Softmax:
    """Set up the objective.

    Args:
        rows: `[row, input]`, standardized.
        targets: `[row]` int, the class of each row, from 0.
        penalty: L2 weight.
    """
    count, inputs = rows.shape
    wide = np.hstack([rows, np.ones((count, 1))])
    one_hot = np.zeros((count, int(targets.max()) + 1))
    one_hot[np.arange(count), targets] = 1
    penalties = np.append(np.full(inputs, penalty), 0.0)
    return Softmax(wide, wide.astype(np.float32), one_hot, penalties)


def minimize(problem: Softmax, start: np.ndarray | None = None) -> np.ndarray:
    """Find the weights with the least objective, `[class, input + 1]`, biases centered on 0.

    Args:
        problem: the objective.
        start: weights to begin with, such as those of a stronger penalty; 0 if None.

    Raises:
        NotConverged: not after `MAX_STEPS` Newton steps.
    """
    if start is None:
        start = np.zeros((problem.targets.shape[1], problem.inputs.shape[1]))
    point = evaluate(problem, start)
    for _ in range(MAX_STEPS):
        if np.abs(point.gradient).max() < GRADIENT_TOLERANCE:
            weights = point.weights.copy()
            weights[:, -1] -= weights[:, -1].mean()  # only their differences matter
            return weights
        point = _line_search(problem, point, _newton_direction(problem, point))
    raise NotConverged


def evaluate(problem: Softmax, weights: np.ndarray) -> Point:
    """Compute objective, gradient and probabilities."""
    logits = problem.inputs @ weights.T
    logits -= logits.max(axis=1, keepdims=True)
    right = (logits * problem.targets).sum(axis=1)
    powers = np.exp(logits)
    sums = powers.sum(axis=1)
    probabilities = powers / sums[:, None]
    shrinking = problem.penalty * weights
    loss = float((np.log(sums) - right).mean() + (shrinking * weights).sum() / 2)
    residual = probabilities - problem.targets
    gradient = residual.T @ problem.inputs / len(residual) + shrinking
    return Point(weights, loss, gradient, probabilities)


def _line_search(problem: Softmax, point: Point, direction: np.ndarray) -> Point:
    """Halve the step until the objective falls as much as its slope promises."""
    slope = float((point.gradient * direction).sum())
    step = 1.0
    while True:
        found = evaluate(problem, point.weights + step * direction)
        if found.loss <= point.loss + SUFFICIENT_DECREASE * step * slope + ROUNDING or step < 1e-9:
            return found
        step /= 2


def _newton_direction(problem: Softmax, point: Point) -> np.ndarray:
    """Solve curvature * direction = -gradient by conjugate gradients, as far as is worth it."""
    curvature = _curvature(problem, point)
    precondition = _preconditioner(problem, point)
    direction = np.zeros_like(point.weights)
    residual = -point.gradient
    scaled = precondition(residual)
    search, product = scaled, float((residual * scaled).sum())
    size = float(np.linalg.norm(residual))
    enough = min(FORCING, size**0.5) * size
    for _ in range(CONJUGATE_STEPS):
        curved = curvature(search)
        length = product / float((search * curved).sum())
        direction = direction + length * search
        residual = residual - length * curved
        if np.linalg.norm(residual) <= enough:
            break
        scaled = precondition(residual)
        product, previous = float((residual * scaled).sum()), product
        search = scaled + product / previous * search
    return direction


def _curvature(problem: Softmax, point: Point) -> Callable[[np.ndarray], np.ndarray]:
    """Give the product of the second derivative with a direction; float32 inside is enough."""
    chances = point.probabilities.astype(np.float32)
    rows = len(chances)

    def product(direction: np.ndarray) -> np.ndarray:
        moved = chances * (problem.inputs32 @ direction.T.astype(np.float32))
        moved -= chances * moved.sum(axis=1, keepdims=True)
        curved = (moved.T @ problem.inputs32).astype(np.float64)
        return np.asarray(curved / rows + problem.penalty * direction)

    return product


def _preconditioner(problem: Softmax, point: Point) -> Callable[[np.ndarray], np.ndarray]:
    """Give an approximate inverse of the second derivative: each class by itself.

    With many inputs all classes share the axes of the inputs' covariance, each with a scale.
    """
    spread = point.probabilities * (1 - point.probabilities)
    if problem.inputs.shape[1] > BLOCK_INPUTS:
        moment = (problem.inputs32.T @ problem.inputs32).astype(np.float64) / len(spread)
        widths, axes = np.linalg.eigh(moment)
        scale = spread.mean(axis=0)[:, None] * np.maximum(widths, 0)
        scale += problem.penalty.max() + TINY_CURVATURE
        return lambda residual: np.asarray((residual @ axes) / scale @ axes.T)
    blocks = np.stack(
        [
            (problem.inputs32 * column[:, None]).T @ problem.inputs32
            for column in spread.T.astype(np.float32)
        ]
    ).astype(np.float64) / len(spread)
    diagonal = np.arange(blocks.shape[1])
    blocks[:, diagonal, diagonal] += problem.penalty + TINY_CURVATURE
    inverses = np.linalg.inv(blocks)
    return lambda residual: np.asarray((inverses @ residual[:, :, None])[:, :, 0])
