"""The stage probe as a whole: which questions a corpus allows, and their metrics."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fhvae.errors import TrialError
from fhvae.intervals import INTERVALS, Interval, why_no_interval
from fhvae.probes.accuracy import LINEAR, MLP, ProbeResult, Results
from fhvae.probes.factors import (
    Material,
    Question,
    ask_f0,
    ask_phone,
    ask_sentence,
    ask_sex,
    ask_snr,
    ask_speaker,
)
from fhvae.probes.scores import ClassScores
from fhvae.probes.tasks import Task

log = logging.getLogger(__name__)

FACTORS: Mapping[str, Callable[[Material], Question]] = {
    "phone": ask_phone,
    "speaker": ask_speaker,
    "sex": ask_sex,
    "snr": ask_snr,
    "f0": ask_f0,
    "sentence": ask_sentence,
}
HEADLINE_MLP = {"phone": ("z1", "fbank", "pca")}


@dataclass(frozen=True)
class Plan:
    """The questions that a corpus allows.

    Attributes:
        tasks: the questions.
        counts: by name of a task, what it rests on, as written to metrics.
        absent: by name of a task that is not possible, or of its intervals, the reason.
    """

    tasks: Sequence[Task]
    counts: Mapping[str, Mapping[str, Any]]
    absent: Mapping[str, str]

    def inputs_with_mlp(self, everything: bool) -> dict[str, tuple[str, ...]]:
        """Say which inputs of which task also get a hidden-layer probe."""
        if not everything:
            return dict(HEADLINE_MLP)
        return {task.name: tuple(task.fit.inputs) for task in self.tasks}


def plan_tasks(material: Material) -> Plan:
    """Build every question, or say why one is not possible."""
    tasks, counts, absent = [], {}, {}
    for name, ask in FACTORS.items():
        try:
            question = ask(material)
        except TrialError as error:
            log.warning("the %s probe is absent: %s", name, error)
            absent[name] = str(error)
            continue
        tasks.append(question.task)
        counts[name] = question.counts
        few = why_no_interval(len(np.unique(question.task.score.speakers)))
        if few:
            log.warning("the %s probe has no intervals: %s", name, few)
            absent[f"{name}.{INTERVALS}"] = few
    return Plan(tasks, counts, absent)


def summarize(plan: Plan, results: Results) -> dict[str, Any]:
    """Lay out the metrics of all probes, nested by task and input, and the two purities."""
    metrics: dict[str, Any] = {"absent": dict(plan.absent)}
    for task in plan.tasks:
        metrics[task.name] = dict(plan.counts[task.name])
        for name, kinds in results[task.name].items():
            found = result_metrics(kinds[LINEAR], "penalty")
            if MLP in kinds:
                found[MLP] = result_metrics(kinds[MLP], "epochs")
            metrics[task.name][name] = found
            kind = "r2" if task.is_regression else "accuracy"
            log.info("%s from %s: %s %.4f", task.name, name, kind, found[kind])
    return metrics | {"purity": purities(metrics)}


def result_metrics(result: ProbeResult, chosen: str) -> dict[str, Any]:
    """Lay out the result of one probe.

    Args:
        result: of the probe.
        chosen: what its setting is called.
    """
    if isinstance(result.scores, Interval):
        return {**result.scores.metrics("r2"), chosen: result.chosen}
    found = {**_class_metrics(result.scores), chosen: result.chosen}
    if result.no_silence is not None:
        found["no_silence"] = _class_metrics(result.no_silence)
    if result.control is not None and result.selectivity is not None:
        found["control_accuracy"] = result.control
        found |= result.selectivity.metrics("selectivity")
    return found


def _class_metrics(scores: ClassScores) -> dict[str, Any]:
    return {
        **scores.accuracy.metrics("accuracy"),
        "macro_f1": scores.macro_f1,
        "cross_entropy_bits": scores.cross_entropy_bits,
        **scores.information.metrics("information"),
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
