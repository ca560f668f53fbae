"""Probes: a linear one, and one with a hidden layer; each tells classes or a number.

A probe is fitted on some rows. What is left open, the penalty of a linear probe or the passes of
one with a hidden layer, is chosen on other rows. A linear probe of classes is chosen twice, each
time by what is then cited of it: where speakers are many, the penalty with the least cross-entropy
is far stronger than the one that names most of them.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from fhvae.errors import ParamsError, TrialError
from fhvae.features.normalize import Normalizer
from fhvae.params.probes import ProbesParams
from fhvae.probes import newton
from fhvae.probes.scores import Answers, surprise_bits

LINEAR, MLP = "linear", "mlp"  # kinds of probes
ROUNDING = 1e-12  # of the mean: a smaller standard deviation is that of equal numbers


@dataclass(frozen=True)
class Examples:
    """Rows of one input with what a probe must say about them.

    Attributes:
        rows: `[row, input]`.
        targets: `[row]`, labels or numbers.
    """

    rows: np.ndarray
    targets: np.ndarray


class Probe(Protocol):
    """A fitted probe of either kind."""

    @property
    def chosen(self) -> float:
        """What was chosen on other rows: the penalty, or the passes."""

    def outputs(self, rows: np.ndarray) -> np.ndarray:
        """Give a logit per class or one number, `[row, output]` float64."""


@dataclass(frozen=True)
class Linear:
    """A linear map.

    Attributes:
        normalizer: applied to the inputs first.
        weights: `[output, input]`.
        biases: `[output]`.
        chosen: the penalty it was fitted under.
    """

    normalizer: Normalizer
    weights: np.ndarray
    biases: np.ndarray
    chosen: float

    def outputs(self, rows: np.ndarray) -> np.ndarray:
        """Map rows `[row, input]` to `[row, output]`."""
        return np.asarray(self.normalizer.standardize(rows) @ self.weights.T + self.biases)


@dataclass(frozen=True)
class HiddenLayer:
    """A network with one hidden layer.

    Attributes:
        normalizer: applied to the inputs first.
        network: from inputs to outputs.
        chosen: passes after which it was best.
    """

    normalizer: Normalizer
    network: nn.Module
    chosen: int

    def outputs(self, rows: np.ndarray) -> np.ndarray:
        """Map rows `[row, input]` to `[row, output]`."""
        with torch.inference_mode():
            found = self.network(_tensor(self.normalizer.standardize(rows)))
        return np.asarray(found.numpy(), np.float64)


@dataclass(frozen=True)
class Classifier:
    """A probe that tells classes.

    Attributes:
        probe: gives a logit per class.
        classes: `[class]`, sorted.
    """

    probe: Probe
    classes: np.ndarray

    def answers(self, rows: np.ndarray) -> Answers:
        """Give the probability of each class in each row, `[row, input]`.

        Raises:
            TrialError: a row is so far from those fitted on that it has none.
        """
        logits = self.probe.outputs(rows)
        if not np.isfinite(logits).all():
            raise TrialError("a probe must give finite numbers, of some rows it does not")
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return Answers(np.asarray(powers / powers.sum(axis=1, keepdims=True)), self.classes)


@dataclass(frozen=True)
class Chosen:
    """The classifiers to cite; with a hidden layer both are one, of the least cross-entropy.

    Attributes:
        by_accuracy: right most often, of those the one with the least cross-entropy.
        by_cross_entropy: with the least cross-entropy.
    """

    by_accuracy: Classifier
    by_cross_entropy: Classifier


def fit_classifier(
    kind: str, fit: Examples, choose: Examples, params: ProbesParams, seed: int
) -> Chosen:
    """Fit a probe of classes.

    Args:
        kind: `LINEAR` or `MLP`.
        fit: with labels, at least two.
        choose: what the penalty, or the passes, are chosen on.
        params: penalties to try, or size and patience.
        seed: of first weights and batches of a hidden-layer probe.

    Raises:
        TrialError: there is only one label; or, with a hidden layer, none of those to choose on
            was fitted.
        ParamsError: a linear probe did not converge, or one with a hidden layer diverged.
    """
    if kind == LINEAR:
        found = linear_classifiers(fit, params.penalties)
        return best_classifiers(found, choose, params.smoothing)
    classes = _classes(fit.targets)
    known = np.isin(choose.targets, classes)
    if not known.any():
        raise TrialError("a probe needs a label of the fitting rows among those to choose on")
    numbers = Examples(fit.rows, np.searchsorted(classes, fit.targets))
    held = Examples(choose.rows[known], np.searchsorted(classes, choose.targets[known]))
    loss = nn.CrossEntropyLoss()
    best = Classifier(_fit_hidden_layer(numbers, held, loss, len(classes), params, seed), classes)
    return Chosen(best, best)


def fit_regression(
    kind: str, fit: Examples, choose: Examples, params: ProbesParams, seed: int
) -> Probe:
    """Fit a probe of numbers, by squared error; arguments as of `fit_classifier`."""
    if kind == LINEAR:
        return min(  # the first, of several: the strongest penalty
            linear_regressions(fit, params.penalties),
            key=lambda one: float(
                np.square(one.outputs(choose.rows)[:, 0] - choose.targets).mean()
            ),
        )
    numbers, held = (
        Examples(part.rows, part.targets.astype(np.float32)[:, None]) for part in (fit, choose)
    )
    return _fit_hidden_layer(numbers, held, nn.MSELoss(), 1, params, seed)


def best_classifiers(
    classifiers: Iterable[Classifier], choose: Examples, smoothing: float
) -> Chosen:
    """Pick the most accurate classifier and the one with the least cross-entropy.

    Of equals the first.

    Args:
        classifiers: from the strongest penalty to the weakest.
        choose: with labels.
        smoothing: of the cross-entropy, as of `surprise_bits`.
    """
    tried = []
    for one in classifiers:
        said = one.answers(choose.rows)
        bits = float(surprise_bits(said, choose.targets, smoothing).mean())
        tried.append((int((said.labels != choose.targets).sum()), bits, one))
    return Chosen(
        by_accuracy=min(tried, key=lambda found: found[:2])[2],
        by_cross_entropy=min(tried, key=lambda found: found[1])[2],
    )


def linear_classifiers(fit: Examples, penalties: Sequence[float]) -> Iterator[Classifier]:
    """Minimize mean cross-entropy + penalty / 2 * squared weights (biases are free).

    Yields one classifier per penalty, from the strongest to the weakest, each begun where the
    one before ended.

    Args:
        fit: with labels.
        penalties: L2 weights per training row; scikit-learn's C is 1 / (penalty * rows).

    Raises:
        TrialError: there is only one label.
        ParamsError: a minimum was not reached in `newton.MAX_STEPS` steps.
    """
    from threadpoolctl import threadpool_limits

    classes = _classes(fit.targets)
    normalizer = normalizer_of(fit.rows)
    targets = np.searchsorted(classes, fit.targets)
    weights = None
    for penalty in sorted(penalties, reverse=True):
        problem = newton.softmax_problem(normalizer.standardize(fit.rows), targets, penalty)
        try:
            with threadpool_limits(1):  # sums in another order would change the last digits
                weights = newton.minimize(problem, weights)
        except newton.NotConverged as error:
            raise ParamsError(
                f"probes.penalties: a probe must converge in {newton.MAX_STEPS} steps and did "
                f"not at penalty {penalty:g}; take it out"
            ) from error
        yield Classifier(Linear(normalizer, weights[:, :-1], weights[:, -1], penalty), classes)


def linear_regressions(fit: Examples, penalties: Sequence[float]) -> Iterator[Linear]:
    """Minimize mean squared error / 2 + penalty / 2 * squared weights, once per penalty.

    Args:
        fit: with numbers.
        penalties: L2 weights per training row, used from the strongest to the weakest.
    """
    from threadpoolctl import threadpool_limits

    normalizer = normalizer_of(fit.rows)
    inputs = normalizer.standardize(fit.rows)
    offset = fit.targets.mean(keepdims=True)
    with threadpool_limits(1):  # sums in another order would change the last digits
        widths, axes = np.linalg.eigh(inputs.T @ inputs / len(inputs))
        pulled = axes.T @ (inputs.T @ (fit.targets - offset)) / len(inputs)
    for penalty in sorted(penalties, reverse=True):
        weights = axes @ (pulled / (np.maximum(widths, 0) + penalty))
        yield Linear(normalizer, weights[None], offset, penalty)


def normalizer_of(rows: np.ndarray) -> Normalizer:
    """Measure mean and standard deviation of the fitting data, `[row, input]`, in float64.

    An input that never changes, but for what rounding adds, gets a standard deviation of 1.

    Raises:
        TrialError: an input is not finite, or too large to be squared.
    """
    wide = rows.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = wide.mean(axis=0), wide.std(axis=0)
    if not np.isfinite(std).all():
        raise TrialError(
            "the inputs of a probe must be finite numbers, "
            f"{int((~np.isfinite(std)).sum())} of {len(std)} are not"
        )
    return Normalizer(mean, np.where(std > ROUNDING * np.abs(mean), std, 1.0))


def _classes(labels: np.ndarray) -> np.ndarray:
    """Name the classes among labels, sorted."""
    classes = np.unique(labels)
    if len(classes) < 2:
        raise TrialError(f"a probe needs at least 2 labels to tell apart, found {len(classes)}")
    return np.asarray(classes)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let PyTorch use one thread: sums in another order would change the last digits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@_one_thread()
def _fit_hidden_layer(
    fit: Examples,
    choose: Examples,
    loss: Callable[[Tensor, Tensor], Tensor],
    outputs: int,
    params: ProbesParams,
    seed: int,
) -> HiddenLayer:
    """Take steps of Adam until the loss on the rows to choose on no longer falls."""
    noise = torch.Generator().manual_seed(seed)
    normalizer = normalizer_of(fit.rows)
    inputs, held = (_tensor(normalizer.standardize(one.rows)) for one in (fit, choose))
    targets, expected = (torch.from_numpy(one.targets) for one in (fit, choose))
    network = _new_network(inputs.shape[1], outputs, params.mlp_hidden, noise)
    # fused: its root is the processor's own, exact; torch.sqrt is not (docs/portability.md)
    optimizer = torch.optim.Adam(network.parameters(), lr=params.mlp_learning_rate, fused=True)
    best, best_epoch, best_state = np.inf, 0, copy.deepcopy(network.state_dict())
    for epoch in range(1, params.mlp_epochs + 1):
        order = torch.randperm(len(inputs), generator=noise)
        for batch in torch.split(order, params.mlp_batch):
            optimizer.zero_grad()
            loss(network(inputs[batch]), targets[batch]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            found = float(loss(network(held), expected))
        if found < best:
            best, best_epoch, best_state = found, epoch, copy.deepcopy(network.state_dict())
        elif epoch - best_epoch >= params.mlp_patience:
            break
    if not best_epoch:  # what is left are the first weights
        raise ParamsError(
            "probes.mlp_learning_rate must let a probe with a hidden layer learn, its loss on the "
            f"rows to choose on is {found:g} after {epoch} passes; lower it (now "
            f"{params.mlp_learning_rate:g})"
        )
    network.load_state_dict(best_state)
    return HiddenLayer(normalizer, network, best_epoch)


def _new_network(inputs: int, outputs: int, hidden: int, noise: torch.Generator) -> nn.Sequential:
    """Draw first weights as PyTorch does, uniform within 1 / sqrt(inputs), but from `noise`."""
    layers = [nn.Linear(inputs, hidden), nn.Linear(hidden, outputs)]
    for layer in layers:
        limit = layer.in_features**-0.5
        for weight in layer.parameters():
            nn.init.uniform_(weight, -limit, limit, generator=noise)
    return nn.Sequential(layers[0], nn.ReLU(), layers[1])


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
