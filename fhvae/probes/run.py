"""Probes of many tasks and inputs: fitted in parallel, scored, laid out as metrics."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from fhvae.errors import TrialError
from fhvae.parallel import map_in_order
from fhvae.params.probes import ProbesParams
from fhvae.probes.classifiers import (
    LINEAR,
    MLP,
    Classifier,
    Examples,
    fit_classifier,
    fit_regression,
    linear_classifiers,
)
from fhvae.probes.questions import Plan
from fhvae.probes.scores import (
    Answers,
    ProbeResult,
    fold,
    right_rows,
    row_interval,
    score_numbers,
    score_task,
    with_information_of,
)
from fhvae.probes.tasks import Task, fold_labels
from fhvae.seeds import stream_seed

log = logging.getLogger(__name__)

PAIRED, CONTENT = "phone", "z1"  # the task whose answers are compared row by row, and whose

T = TypeVar("T")
Results = Mapping[str, Mapping[str, Mapping[str, ProbeResult]]]


@dataclass(frozen=True)
class ProbeJob:
    """One input of a task for one kind of probe."""

    task: Task
    input_name: str
    kind: str
    params: ProbesParams
    seed: int


def run_probes(
    tasks: Sequence[Task],
    params: ProbesParams,
    seed: int,
    mlp_inputs: Mapping[str, Collection[str]] | None = None,
) -> Results:
    """Fit, choose and score a linear probe for every input of every task, and others on request.

    Args:
        tasks: the questions.
        params: of all probes.
        seed: of the run.
        mlp_inputs: by task the inputs that also get a hidden-layer probe.

    Returns:
        Result by task, input and kind ("linear", "mlp").
    """
    wanted = mlp_inputs or {}
    jobs = [
        ProbeJob(_with_input(task, name), name, kind, params, seed)
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


def _work(job: ProbeJob) -> tuple[int, str, str, str]:
    rows = job.task.fit
    size = rows.inputs[job.input_name].size * (2 if job.kind == MLP else 1)
    outputs = 1 if job.task.is_regression else len(np.unique(rows.labels))
    return size * outputs, job.task.name, job.input_name, job.kind


def answer(job: ProbeJob) -> ProbeResult:
    """Fit a probe, choose its penalty or passes, and score it."""
    return _answer_number(job) if job.task.is_regression else _answer_class(job)


def _fitting_seed(job: ProbeJob) -> int:
    return stream_seed(job.seed, "probes", "mlp", job.task.name, job.input_name) % 2**63


def _answer_class(job: ProbeJob) -> ProbeResult:
    task = job.task
    fit, choose = (
        Examples(one.inputs[job.input_name], one.labels) for one in (task.fit, task.choose)
    )
    found = fit_classifier(job.kind, fit, choose, job.params, _fitting_seed(job))

    def scored(classifier: Classifier) -> tuple[Answers, ProbeResult]:
        said = classifier.answers(task.score.inputs[job.input_name])
        chosen = classifier.probe.chosen
        return said, score_task(task, said, chosen, job.params.smoothing)

    said, result = scored(found.by_accuracy)
    if job.kind == LINEAR:
        result = with_information_of(result, scored(found.by_cross_entropy)[1])
        if task.control is not None:
            return _with_control(job, result, said)
    return result


def _with_control(job: ProbeJob, result: ProbeResult, said: Answers) -> ProbeResult:
    """Fit the same probe to labels without meaning, and compare row by row."""
    task, control = job.task, job.task.control
    assert control is not None
    fit, score = task.fit.inputs[job.input_name], task.score.inputs[job.input_name]
    (model,) = linear_classifiers(Examples(fit, control.fit), [result.chosen])
    other = fold(model.answers(score), task.folding).labels
    other_right = other == fold_labels(control.score, task.folding)
    difference = right_rows(said, task).astype(float) - other_right
    return replace(
        result,
        control=float(other_right.mean()),
        selectivity=row_interval(difference, task.score.speakers),
    )


def _answer_number(job: ProbeJob) -> ProbeResult:
    """Fit a regression; targets go in with mean 0 and variance 1, so penalties mean the same."""
    task, score = job.task, job.task.score
    mean, std = float(task.fit.labels.mean()), float(task.fit.labels.std())
    fit, choose = (
        Examples(one.inputs[job.input_name], (one.labels - mean) / std)
        for one in (task.fit, task.choose)
    )
    found = fit_regression(job.kind, fit, choose, job.params, _fitting_seed(job))
    said = found.outputs(score.inputs[job.input_name])[:, 0] * std + mean
    return ProbeResult(score_numbers(said, score.labels, score.speakers), found.chosen)


def summarize(plan: Plan, results: Results) -> dict[str, Any]:
    """Lay out the metrics of all probes, nested by task and input, and the two purities."""
    metrics: dict[str, Any] = {"absent": dict(plan.absent)}
    for task in plan.tasks:
        metrics[task.name] = dict(plan.counts[task.name])
        for name, kinds in results[task.name].items():
            found = kinds[LINEAR].metrics("penalty")
            if MLP in kinds:
                found[MLP] = kinds[MLP].metrics("epochs")
            metrics[task.name][name] = found
            kind = "r2" if task.is_regression else "accuracy"
            log.info("%s from %s: %s %.4f", task.name, name, kind, found[kind])
        if task.name == PAIRED:
            metrics[task.name][f"{CONTENT}_minus"] = {
                kind: gains
                for kind in (LINEAR, MLP)
                if (gains := paired_gains(results[task.name], kind, task.score.speakers))
            }
    return metrics | {"purity": purities(metrics)}


def paired_gains(
    results: Mapping[str, Mapping[str, ProbeResult]], kind: str, speakers: np.ndarray
) -> dict[str, dict[str, float]]:
    """Compare z1 with every other input row by row: how much more accurate, by input.

    Args:
        results: of one task, by input and kind of probe.
        kind: of the probe; an input that has none of it is left out, and so are all without z1's.
        speakers: `[row]`, of the scored rows.
    """
    right = {name: kinds[kind].right for name, kinds in results.items() if kind in kinds}
    known = {name: np.array(rows, float) for name, rows in right.items() if rows is not None}
    own = known.pop(CONTENT, None)
    if own is None:
        return {}
    return {
        name: row_interval(own - other, speakers).metrics("accuracy")
        for name, other in sorted(known.items())
    }


def purities(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Put in two numbers what the matrix says: content in z1 only, speaker in mu2 only.

    `content` is info(phone | z1) - info(speaker | z1), `speaker` is info(speaker | mu2) -
    info(phone | z2); their parts stand beside them, as a difference can hide a row.
    """
    if not ("phone" in metrics and "speaker" in metrics):
        return {}
    parts = {
        f"{factor}_{code}": metrics[factor][code]["information"]
        for factor, code in (
            ("phone", "z1"),
            ("speaker", "z1"),
            ("speaker", "mu2"),
            ("phone", "z2"),
        )
    }
    return {
        "content": parts["phone_z1"] - parts["speaker_z1"],
        "speaker": parts["speaker_mu2"] - parts["phone_z2"],
        "parts": parts,
    }


def unless_absent(
    name: str, measure: Callable[[], Mapping[str, T]], absent: dict[str, str]
) -> Mapping[str, T]:
    """Measure what the corpus allows; where it does not, note why in `absent` and give nothing."""
    try:
        return measure()
    except TrialError as error:
        absent[name] = str(error)
        return {}
