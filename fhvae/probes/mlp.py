"""A probe with one hidden layer, stopped when it gets no better on other data."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from fhvae.errors import TrialError
from fhvae.probes.logistic import Standardizer, label_classes, standardize_by

BATCH = 256  # rows
LEARNING_RATE = 1e-3  # of Adam


@dataclass(frozen=True)
class MlpSetting:
    """Size and patience of the hidden-layer probe.

    Attributes:
        hidden: units of the hidden layer.
        epochs: passes over the fitting rows, at most.
        patience: passes without a better value on the rows to choose on.
        seed: of first weights and batches.
    """

    hidden: int
    epochs: int
    patience: int
    seed: int


@dataclass(frozen=True)
class Mlp:
    """A fitted probe.

    Attributes:
        standardizer: applied to the inputs first.
        network: with one output per class, or one number.
        epochs: passes after which it was best.
    """

    standardizer: Standardizer
    network: nn.Module
    epochs: int

    def outputs(self, rows: np.ndarray) -> np.ndarray:
        """Give the outputs of each row, `[row, output]` float64."""
        with torch.inference_mode():
            found = self.network(_tensor(self.standardizer(rows)))
        return np.asarray(found.numpy(), np.float64)

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """Give the probability of each class, `[row, class]`, for a classifier."""
        logits = self.outputs(rows)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_mlp_classifier(
    fit: tuple[np.ndarray, np.ndarray],
    choose: tuple[np.ndarray, np.ndarray],
    setting: MlpSetting,
) -> Mlp:
    """Fit a classifier; its classes are the sorted labels of the fitting rows.

    Args:
        fit: rows `[row, input]` and labels `[row]`.
        choose: the same of the rows whose cross-entropy stops the fit; labels that are not
            among the fitting ones are left out.
        setting: size and patience.

    Raises:
        TrialError: there is only one label, or none of those to choose on was fitted.
    """
    classes = label_classes(fit[1])
    known = np.isin(choose[1], classes)
    targets = torch.from_numpy(np.searchsorted(classes, fit[1]))
    chosen = torch.from_numpy(np.searchsorted(classes, choose[1][known]))
    loss = nn.CrossEntropyLoss()
    if not known.any():
        raise TrialError("a probe needs a label of the fitting rows among those to choose on")
    with one_thread():
        return _fit((fit[0], targets), (choose[0][known], chosen), len(classes), loss, setting)


def fit_mlp_regression(
    fit: tuple[np.ndarray, np.ndarray],
    choose: tuple[np.ndarray, np.ndarray],
    setting: MlpSetting,
) -> Mlp:
    """Fit a regression to targets of mean 0 and variance about 1; arguments as above."""
    targets, chosen = (_tensor(part[1])[:, None] for part in (fit, choose))
    with one_thread():
        return _fit((fit[0], targets), (choose[0], chosen), 1, nn.MSELoss(), setting)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch use one thread: sums in another order would change the last digits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fit(
    fit: tuple[np.ndarray, Tensor],
    choose: tuple[np.ndarray, Tensor],
    outputs: int,
    loss: Callable[[Tensor, Tensor], Tensor],
    setting: MlpSetting,
) -> Mlp:
    noise = torch.Generator().manual_seed(setting.seed)
    standardizer = standardize_by(fit[0])
    rows, held = _tensor(standardizer(fit[0])), _tensor(standardizer(choose[0]))
    network = _new_network(rows.shape[1], outputs, setting.hidden, noise)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    best, best_epoch, best_state = np.inf, 0, copy.deepcopy(network.state_dict())
    for epoch in range(1, setting.epochs + 1):
        for batch in torch.split(torch.randperm(len(rows), generator=noise), BATCH):
            optimizer.zero_grad()
            loss(network(rows[batch]), fit[1][batch]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            found = float(loss(network(held), choose[1]))
        if found < best:
            best, best_epoch, best_state = found, epoch, copy.deepcopy(network.state_dict())
        elif epoch - best_epoch >= setting.patience:
            break
    network.load_state_dict(best_state)
    return Mlp(standardizer, network, best_epoch)


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
