"""Probes of many tasks and inputs: fitted in parallel, their settings chosen, scored."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fhvae.intervals import Interval, percentile_interval, resample_ratio
from fhvae.parallel import map_in_order
from fhvae.probes.logistic import Classifier, fit_classifier, fit_classifiers
from fhvae.probes.mlp import MlpSetting, fit_mlp_classifier, fit_mlp_regression
from fhvae.probes.ridge import fit_regressions
from fhvae.probes.scores import (
    Answers,
    ClassScores,
    fold,
    score_classes,
    score_numbers,
    speaker_draws,
    speaker_sums,
    surprise_bits,
)
from fhvae.probes.tasks import Task, fold_labels
from fhvae.seeds import generator, stream_seed

LINEAR, MLP = "linear", "mlp"


@dataclass(frozen=True)
class ProbeSetting:
    """What all probes of a run share.

    Attributes:
        penalties: L2 weights per fitting row to choose from.
        draws: of speakers, for the intervals.
        seed: of the run.
        hidden, epochs, patience: of the hidden-layer probe (`MlpSetting`).
    """

    penalties: Sequence[float]
    draws: int
    seed: int
    hidden: int = 256
    epochs: int = 200
    patience: int = 10


@dataclass(frozen=True)
class Job:
    """One input of a task for one kind of probe."""

    task: Task
    input_name: str
    kind: str
    setting: ProbeSetting


@dataclass(frozen=True)
class ProbeResult:
    """What a probe reaches.

    Attributes:
        scores: of all scored rows; R2 for a regression.
        no_silence: of the rows that are no pause, where some are pauses.
        chosen: the penalty, or the passes of a hidden-layer probe.
        control: accuracy on labels without meaning, under the same setting.
        selectivity: accuracy minus `control`.
    """

    scores: ClassScores | Interval
    chosen: float
    no_silence: ClassScores | None = None
    control: float | None = None
    selectivity: Interval | None = None


Results = Mapping[str, Mapping[str, Mapping[str, ProbeResult]]]


def run_probes(
    tasks: Sequence[Task],
    setting: ProbeSetting,
    mlp_inputs: Mapping[str, Collection[str]] | None = None,
) -> Results:
    """Fit, choose and score a linear probe for every input of every task, and others on request.

    Args:
        tasks: the questions.
        setting: of all probes.
        mlp_inputs: by task the inputs that also get a hidden-layer probe.

    Returns:
        Result by task, input and kind ("linear", "mlp").
    """
    wanted = mlp_inputs or {}
    jobs = [
        Job(_with_input(task, name), name, kind, setting)
        for task in tasks
        for name in sorted(task.fit.inputs)
        for kind in (LINEAR, MLP)
        if kind == LINEAR or name in wanted.get(task.name, ())
    ]
    jobs.sort(key=_work, reverse=True)  # the longest first: no core waits for one at the end
    results: dict[str, dict[str, dict[str, ProbeResult]]] = {}
    for job, result in zip(jobs, map_in_order(answer, jobs, "probes", unit="probe"), strict=True):
        results.setdefault(job.task.name, {}).setdefault(job.input_name, {})[job.kind] = result
    return results


def _with_input(task: Task, name: str) -> Task:
    """Keep one input: no worker is sent the others."""
    fit, choose, score = (
        replace(rows, inputs={name: rows.inputs[name]})
        for rows in (task.fit, task.choose, task.score)
    )
    return replace(task, fit=fit, choose=choose, score=score)


def _work(job: Job) -> tuple[int, str, str, str]:
    rows = job.task.fit
    size = rows.inputs[job.input_name].size * (2 if job.kind == MLP else 1)
    outputs = 1 if job.task.is_regression else len(np.unique(rows.labels))
    return size * outputs, job.task.name, job.input_name, job.kind


def answer(job: Job) -> ProbeResult:
    """Fit a probe, choose its penalty and score it."""
    if job.task.is_regression:
        return _answer_number(job)
    return _answer_class(job)


def draws_of(task: Task, setting: ProbeSetting) -> np.ndarray:
    """Draw the speakers of the scored rows, the same for all probes of a task."""
    random = generator(setting.seed, "probes", "speakers", task.name)
    return speaker_draws(task.score.speakers, setting.draws, random)


def _mlp_setting(job: Job) -> MlpSetting:
    setting = job.setting
    seed = stream_seed(setting.seed, "probes", "mlp", job.task.name, job.input_name) % 2**63
    return MlpSetting(setting.hidden, setting.epochs, setting.patience, seed)


def choose_classifier(
    classifiers: Iterable[Classifier], rows: np.ndarray, labels: np.ndarray
) -> Classifier:
    """Pick the classifier with the least cross-entropy, the first of several.

    Args:
        classifiers: from the strongest penalty to the weakest.
        rows: `[row, input]` to choose on.
        labels: `[row]`.
    """
    bits = [
        (surprise_bits(Answers(one.probabilities(rows), one.classes), labels).mean(), one)
        for one in classifiers
    ]
    return min(bits, key=lambda pair: float(pair[0]))[1]


def _answer_class(job: Job) -> ProbeResult:
    task, name = job.task, job.input_name
    fit, choose, score = (part.inputs[name] for part in (task.fit, task.choose, task.score))
    if job.kind == LINEAR:
        path = fit_classifiers(fit, task.fit.labels, job.setting.penalties)
        best = choose_classifier(path, choose, task.choose.labels)
        chosen, said = best.penalty, Answers(best.probabilities(score), best.classes)
    else:
        chooser = (choose, task.choose.labels)
        mlp = fit_mlp_classifier((fit, task.fit.labels), chooser, _mlp_setting(job))
        chosen, said = mlp.epochs, Answers(mlp.probabilities(score), np.unique(task.fit.labels))
    result = score_task(task, said, draws_of(task, job.setting), chosen)
    if job.kind == LINEAR and task.control is not None:
        return _with_control(job, result, said)
    return result


def score_task(task: Task, said: Answers, counts: np.ndarray, chosen: float) -> ProbeResult:
    """Score answers after folding, with and without the rows that are pauses."""
    folded, labels = fold(said, task.folding), fold_labels(task.score.labels, task.folding)
    scores = score_classes(folded, labels, task.score.speakers, counts)
    spoken = ~np.isin(labels, sorted(task.silence))
    everyone = len(np.unique(task.score.speakers[spoken])) == counts.shape[1]
    if spoken.all() or not everyone or len(np.unique(labels[spoken])) < 2:
        return ProbeResult(scores, chosen)
    kept = Answers(folded.probabilities[spoken], folded.classes)
    quiet = score_classes(kept, labels[spoken], task.score.speakers[spoken], counts)
    return ProbeResult(scores, chosen, no_silence=quiet)


def _with_control(job: Job, result: ProbeResult, said: Answers) -> ProbeResult:
    """Fit the same probe to labels without meaning, and compare on the same drawn speakers."""
    task, control = job.task, job.task.control
    assert control is not None
    fit, score = task.fit.inputs[job.input_name], task.score.inputs[job.input_name]
    model = fit_classifier(fit, control.fit, result.chosen)
    other = fold(Answers(model.probabilities(score), model.classes), task.folding).labels
    other_right = other == fold_labels(control.score, task.folding)
    right = fold(said, task.folding).labels == fold_labels(task.score.labels, task.folding)
    difference = right.astype(float) - other_right
    speakers, counts = task.score.speakers, draws_of(task, job.setting)
    sums, rows = (speaker_sums(values, speakers) for values in (difference, np.ones(len(right))))
    selectivity = percentile_interval(float(difference.mean()), resample_ratio(sums, rows, counts))
    return replace(result, control=float(other_right.mean()), selectivity=selectivity)


def _answer_number(job: Job) -> ProbeResult:
    """Fit a regression; targets go in with mean 0 and variance 1, so penalties mean the same."""
    task, name = job.task, job.input_name
    fit, choose, score = (part.inputs[name] for part in (task.fit, task.choose, task.score))
    mean, std = float(task.fit.labels.mean()), float(task.fit.labels.std())
    scaled, held = ((part.labels - mean) / std for part in (task.fit, task.choose))
    if job.kind == LINEAR:
        path = list(fit_regressions(fit, scaled, job.setting.penalties))
        errors = [float(np.square(one.predict(choose) - held).mean()) for one in path]
        best = path[int(np.argmin(errors))]  # the first, of several: the strongest penalty
        chosen, said = best.penalty, best.predict(score)
    else:
        mlp = fit_mlp_regression((fit, scaled), (choose, held), _mlp_setting(job))
        chosen, said = mlp.epochs, mlp.outputs(score)[:, 0]
    counts = draws_of(task, job.setting)
    explained = score_numbers(said * std + mean, task.score.labels, task.score.speakers, counts)
    return ProbeResult(explained, chosen)


def chance(task: Task) -> float:
    """Compute what an answer without a look at the code reaches.

    The accuracy of always saying the class most frequent in the fitting rows; R2 of 0.
    """
    if task.is_regression:
        return 0.0
    classes, counts = np.unique(fold_labels(task.fit.labels, task.folding), return_counts=True)
    labels = fold_labels(task.score.labels, task.folding)
    return float((labels == classes[np.argmax(counts)]).mean())
