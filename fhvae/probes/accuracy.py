"""Accuracy of probes: fitted in parallel, with intervals from resampled speakers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fhvae.parallel import map_in_order
from fhvae.probes.logistic import fit_classifier
from fhvae.probes.tasks import Task
from fhvae.seeds import generator

LEVEL = 0.95


@dataclass(frozen=True)
class Fit:
    """One classifier to fit: an input of a task under a penalty."""

    name: str
    input_name: str
    penalty: float
    fit: tuple[np.ndarray, np.ndarray]
    choose: tuple[np.ndarray, np.ndarray]
    score: tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Outcome:
    """What one classifier got right.

    Attributes:
        chosen_right: correct rows among those the penalty is chosen on.
        is_right: `[row]` bool, of the rows scored.
    """

    chosen_right: int
    is_right: np.ndarray


@dataclass(frozen=True)
class ProbeResult:
    """Accuracy of the best penalty, with its 95 % interval; fractions in [0, 1]."""

    accuracy: float
    accuracy_low: float
    accuracy_high: float
    penalty: float


def run_probes(
    tasks: Sequence[Task], penalties: Sequence[float], draws: int, seed: int
) -> dict[str, dict[str, ProbeResult]]:
    """Fit a probe per task, input and penalty, choose the penalties, and score.

    Args:
        tasks: the questions.
        penalties: L2 weights per training sample.
        draws: of speakers, for the intervals.
        seed: of the run.

    Returns:
        Result by name of task and input.
    """
    fits = [
        Fit(
            name=task.name,
            input_name=name,
            penalty=penalty,
            fit=(task.fit.inputs[name], task.fit.labels),
            choose=(task.choose.inputs[name], task.choose.labels),
            score=(task.score.inputs[name], task.score.labels),
        )
        for task in tasks
        for penalty in sorted(penalties)  # the smallest take longest: begin with them
        for name in sorted(task.fit.inputs)
    ]
    outcomes = list(zip(fits, map_in_order(fit_and_apply, fits, "probes", unit="fit"), strict=True))
    results: dict[str, dict[str, ProbeResult]] = {}
    for task in tasks:
        results[task.name] = {}
        for name in task.fit.inputs:
            own = {
                fit.penalty: outcome
                for fit, outcome in outcomes
                if (fit.name, fit.input_name) == (task.name, name)
            }
            penalty = choose_penalty({p: outcome.chosen_right for p, outcome in own.items()})
            random = generator(seed, "probes", "speakers", task.name)
            results[task.name][name] = _result(task, penalty, own[penalty], draws, random)
    return results


def fit_and_apply(fit: Fit) -> Outcome:
    """Fit one classifier and apply it to the rows to choose and to score on."""
    classifier = fit_classifier(*fit.fit, fit.penalty)
    inputs, labels = fit.choose
    return Outcome(
        chosen_right=int((classifier.predict(inputs) == labels).sum()),
        is_right=classifier.predict(fit.score[0]) == fit.score[1],
    )


def choose_penalty(right: Mapping[float, int]) -> float:
    """Pick the penalty with the most correct rows, the largest penalty of several."""
    return max(right, key=lambda penalty: (right[penalty], penalty))


def _result(
    task: Task, penalty: float, outcome: Outcome, draws: int, random: np.random.Generator
) -> ProbeResult:
    accuracies = resample_accuracy(outcome.is_right, task.score.speakers, draws, random)
    low, high = np.quantile(accuracies, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return ProbeResult(float(outcome.is_right.mean()), float(low), float(high), penalty)


def resample_accuracy(
    is_right: np.ndarray, speakers: np.ndarray, draws: int, random: np.random.Generator
) -> np.ndarray:
    """Compute the accuracy under draws of as many speakers with replacement, `[draw]`.

    Args:
        is_right: `[row]` bool.
        speakers: `[row]`.
        draws: how many.
        random: generator.
    """
    names, owner = np.unique(speakers, return_inverse=True)
    rows = np.bincount(owner)
    right = np.bincount(owner, weights=is_right)
    counts = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    return np.asarray((counts @ right) / (counts @ rows))


def chance(task: Task) -> float:
    """Compute the accuracy of always saying the label most frequent in the fitting rows."""
    labels, counts = np.unique(task.fit.labels, return_counts=True)
    return float((task.score.labels == labels[np.argmax(counts)]).mean())
