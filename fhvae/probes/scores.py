"""How right a probe is, with intervals over speakers.

*Information* is the share of the uncertainty about the label that a probe takes away:
`(H - CE) / H`. CE is the probe's cross-entropy on the scored rows. H is the entropy of the
labels of these same rows: the least cross-entropy of any answer that does not look at the
code. So a probe of codes that say nothing has at most 0, and less the more it fooled itself.
R2 is built alike: 1 minus the squared error over that of the best constant on these rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fhvae.intervals import Interval, mean_interval, ratio_interval
from fhvae.probes.tasks import Task, fold_labels


@dataclass(frozen=True)
class Answers:
    """What a probe says about the scored rows.

    Attributes:
        probabilities: `[row, class]`.
        classes: `[class]`, sorted.
    """

    probabilities: np.ndarray
    classes: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """The most probable class of each row, `[row]`."""
        return np.asarray(self.classes[np.argmax(self.probabilities, axis=1)])


@dataclass(frozen=True)
class ClassScores:
    """How well classes are told.

    Attributes:
        accuracy: of rows, in [0, 1].
        macro_f1: mean over the classes that occur, in [0, 1].
        cross_entropy_bits: per row.
        information: see above, at most 1.
    """

    accuracy: Interval
    macro_f1: float
    cross_entropy_bits: float
    information: Interval

    def metrics(self) -> dict[str, Any]:
        """Lay the scores out."""
        return {
            **self.accuracy.metrics("accuracy"),
            "macro_f1": self.macro_f1,
            "cross_entropy_bits": self.cross_entropy_bits,
            **self.information.metrics("information"),
        }


@dataclass(frozen=True)
class ProbeResult:
    """What a probe reaches.

    Attributes:
        scores: of all scored rows; R2 for a regression.
        chosen: the penalty, or the passes of a hidden-layer probe.
        chosen_for_information: the penalty that information and cross-entropy are of.
        no_silence: of the rows that are no pause, where some are pauses.
        control: accuracy on labels without meaning, under the same setting.
        selectivity: accuracy minus `control`.
        right: of each scored row, whether it is answered right; None for a regression.
    """

    scores: ClassScores | Interval
    chosen: float
    chosen_for_information: float | None = None
    no_silence: ClassScores | None = None
    control: float | None = None
    selectivity: Interval | None = None
    right: tuple[bool, ...] | None = None

    def metrics(self, chosen: str) -> dict[str, Any]:
        """Lay the result out; `chosen` names what was chosen."""
        if isinstance(self.scores, Interval):
            return {**self.scores.metrics("r2"), chosen: self.chosen}
        found = {**self.scores.metrics(), chosen: self.chosen}
        if self.chosen_for_information is not None:
            found[f"information_{chosen}"] = self.chosen_for_information
        if self.no_silence is not None:
            found["no_silence"] = self.no_silence.metrics()
        if self.control is not None and self.selectivity is not None:
            found["control_accuracy"] = self.control
            found |= self.selectivity.metrics("selectivity")
        return found


def fold(answers: Answers, folding: Mapping[str, str]) -> Answers:
    """Add up the probabilities of classes that count as one.

    Args:
        answers: of a probe.
        folding: from each class to what it counts as; classes not in it stay as they are.
    """
    names = np.array([folding.get(name, name) for name in answers.classes.tolist()])
    classes, place = np.unique(names, return_inverse=True)
    sums = np.zeros((len(classes), len(names)))
    sums[place, np.arange(len(names))] = 1
    return Answers(answers.probabilities @ sums.T, classes)


def surprise_bits(answers: Answers, labels: np.ndarray, smoothing: float) -> np.ndarray:
    """Compute -log2 of the probability given to each row's label, `[row]`.

    Args:
        answers: of each row.
        labels: `[row]`, the truth.
        smoothing: share of every answer that is spread evenly over all classes, those that only
            the scored rows have included: one certain error must not cost infinity.
    """
    known = len(np.union1d(answers.classes, labels))
    place = np.minimum(np.searchsorted(answers.classes, labels), len(answers.classes) - 1)
    given = answers.probabilities[np.arange(len(labels)), place]
    given = np.where(answers.classes[place] == labels, given, 0.0)
    return np.asarray(-np.log2((1 - smoothing) * given + smoothing / known))


def entropy_bits(labels: np.ndarray) -> float:
    """Compute the entropy of how often each label occurs."""
    counts = np.unique(labels, return_counts=True)[1]
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def macro_f1(said: np.ndarray, labels: np.ndarray) -> float:
    """Average the F1 over the labels that occur, each counted the same."""
    scores = []
    for name in np.unique(labels):
        hits = int(((said == name) & (labels == name)).sum())
        scores.append(2 * hits / int((said == name).sum() + (labels == name).sum()))
    return float(np.mean(scores))


def speaker_sums(values: np.ndarray, speakers: np.ndarray) -> np.ndarray:
    """Add up the values of each speaker's rows, `[speaker]`, speakers sorted."""
    names, owner = np.unique(speakers, return_inverse=True)
    return np.bincount(owner, weights=values, minlength=len(names))


def share_interval(right: np.ndarray, speakers: np.ndarray) -> Interval:
    """Compute the share of right rows with its interval over speakers.

    Args:
        right: `[row]` bool.
        speakers: `[row]`.
    """
    rows = speaker_sums(np.ones(len(right)), speakers)
    return ratio_interval(speaker_sums(right, speakers), rows)


def row_interval(values: np.ndarray, speakers: np.ndarray) -> Interval:
    """Compute the mean over rows of what is no share, with its interval over speakers.

    Args:
        values: `[row]`, such as bits, or 1, 0 or -1 for a difference of two answers.
        speakers: `[row]`.
    """
    rows = speaker_sums(np.ones(len(values)), speakers)
    return mean_interval(speaker_sums(values, speakers), rows)


def one_minus(interval: Interval, unit: float) -> Interval:
    """Turn an error into the share of `unit` that it does not reach: 1 - error / unit."""
    low, high = (
        None if bound is None else 1 - bound / unit for bound in (interval.high, interval.low)
    )
    return Interval(1 - interval.value / unit, low, high)


def score_classes(
    answers: Answers,
    labels: np.ndarray,
    speakers: np.ndarray,
    smoothing: float,
) -> ClassScores:
    """Score the answers of a classifier.

    Args:
        answers: of each row.
        labels: `[row]`, the truth; at least two differ.
        speakers: `[row]`. H stays the same when one is left out: where speakers are the labels,
            their H without one would be of another question.
        smoothing: of the cross-entropy, as of `surprise_bits`.
    """
    said, bits = answers.labels, surprise_bits(answers, labels, smoothing)
    return ClassScores(
        accuracy=share_interval(said == labels, speakers),
        macro_f1=macro_f1(said, labels),
        cross_entropy_bits=float(bits.mean()),
        information=one_minus(row_interval(bits, speakers), entropy_bits(labels)),
    )


def score_numbers(said: np.ndarray, truth: np.ndarray, speakers: np.ndarray) -> Interval:
    """Compute R2, the share of the variance of the scored rows that a regression explains.

    Args:
        said, truth: `[row]`.
        speakers: `[row]`.
    """
    errors = speaker_sums((said - truth) ** 2, speakers)
    spread = speaker_sums((truth - truth.mean()) ** 2, speakers)
    return one_minus(mean_interval(errors, spread), 1.0)


def with_information_of(result: ProbeResult, informed: ProbeResult) -> ProbeResult:
    """Take information and cross-entropy of another probe of the same rows."""
    quiet = informed.no_silence

    def mixed(scores: ClassScores, other: ClassScores) -> ClassScores:
        return replace(
            scores,
            cross_entropy_bits=other.cross_entropy_bits,
            information=other.information,
        )

    assert isinstance(result.scores, ClassScores)
    assert isinstance(informed.scores, ClassScores)
    return replace(
        result,
        scores=mixed(result.scores, informed.scores),
        chosen_for_information=informed.chosen,
        no_silence=mixed(result.no_silence, quiet) if result.no_silence and quiet else None,
    )


def right_rows(said: Answers, task: Task) -> np.ndarray:
    """Tell which scored rows are answered right, after folding, `[row]`."""
    right = fold(said, task.folding).labels == fold_labels(task.score.labels, task.folding)
    return np.asarray(right)


def score_task(task: Task, said: Answers, chosen: float, smoothing: float) -> ProbeResult:
    """Score answers after folding, with and without the rows that are pauses."""
    folded, labels = fold(said, task.folding), fold_labels(task.score.labels, task.folding)
    scores = score_classes(folded, labels, task.score.speakers, smoothing)
    spoken = ~np.isin(labels, sorted(task.silence))
    right = tuple((folded.labels == labels).tolist())
    if spoken.all() or len(np.unique(labels[spoken])) < 2:
        return ProbeResult(scores, chosen, right=right)
    kept = Answers(folded.probabilities[spoken], folded.classes)
    speakers = task.score.speakers[spoken]
    quiet = score_classes(kept, labels[spoken], speakers, smoothing)
    return ProbeResult(scores, chosen, no_silence=quiet, right=right)
