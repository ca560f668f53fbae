"""Answers about every row from probes that never saw its fold, penalties chosen without it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from fhvae.parallel import map_in_order
from fhvae.probes.accuracy import ProbeSetting
from fhvae.probes.logistic import fit_classifiers
from fhvae.probes.rows import LabelledRows
from fhvae.probes.scores import Answers, surprise_bits


@dataclass(frozen=True)
class FoldFit:
    """A probe to fit without some folds, and to try on them.

    Attributes:
        rows, labels: all rows of one input.
        folds: `[row]`, fold of each row's speaker.
        without: folds kept out of the fit.
        penalties: to try.
    """

    rows: np.ndarray
    labels: np.ndarray
    folds: np.ndarray
    without: tuple[str, ...]
    penalties: tuple[float, ...]


@dataclass(frozen=True)
class FoldAnswers:
    """What a probe says about the folds it did not see: bits by fold and penalty, and answers."""

    bits: Mapping[str, Mapping[float, float]]
    last: Answers


@dataclass(frozen=True)
class Nested:
    """Answers about all rows, each from a probe that never saw its speaker.

    Attributes:
        answers: `[row]`.
        penalties: chosen, by fold.
    """

    answers: Answers
    penalties: Mapping[str, float]


def nested_answers(
    rows: LabelledRows, name: str, folds: np.ndarray, setting: ProbeSetting
) -> Nested:
    """Choose a penalty for each fold on the others, and let the others answer for it.

    Args:
        rows: all of them.
        name: of the input.
        folds: `[row]`.
        setting: for the penalties.
    """
    names = sorted(set(folds.tolist()))
    penalties = tuple(setting.penalties)
    inputs, labels = rows.inputs[name], rows.labels
    pairs = [FoldFit(inputs, labels, folds, pair, penalties) for pair in combinations(names, 2)]
    tried = list(map_in_order(try_folds, pairs, f"{name}: penalties", unit="fit"))
    chosen = {own: _choose(own, pairs, tried, penalties) for own in names}
    finals = [FoldFit(inputs, labels, folds, (own,), (chosen[own],)) for own in names]
    classes = np.unique(labels)
    probabilities = np.zeros((len(labels), len(classes)))
    found = map_in_order(try_folds, finals, f"{name}: folds", unit="fit")
    for final, result in zip(finals, found, strict=True):
        own = np.flatnonzero(folds == final.without[0])
        columns = np.searchsorted(classes, result.last.classes)
        probabilities[own[:, None], columns] = result.last.probabilities
    return Nested(Answers(probabilities, classes), chosen)


def _choose(
    own: str,
    pairs: Sequence[FoldFit],
    tried: Sequence[FoldAnswers],
    penalties: Sequence[float],
) -> float:
    """Pick the penalty whose probes, fitted without `own`, tell the other folds best."""
    totals = dict.fromkeys(sorted(penalties, reverse=True), 0.0)
    for pair, result in zip(pairs, tried, strict=True):
        if own in pair.without:
            (other,) = (name for name in pair.without if name != own)
            for penalty in totals:
                totals[penalty] += result.bits[other][penalty]
    return min(totals, key=lambda penalty: totals[penalty])


def try_folds(fit: FoldFit) -> FoldAnswers:
    """Fit on the rows of all other folds; sum the bits on each fold left out."""
    out = np.isin(fit.folds, fit.without)
    bits: dict[str, dict[float, float]] = {name: {} for name in fit.without}
    last = None
    for model in fit_classifiers(fit.rows[~out], fit.labels[~out], fit.penalties):
        for name in fit.without:
            own = fit.folds == name
            last = Answers(model.probabilities(fit.rows[own]), model.classes)
            bits[name][model.penalty] = float(surprise_bits(last, fit.labels[own]).sum())
    assert last is not None
    return FoldAnswers(bits, last)
