"""The stage probe as a whole: which tasks a corpus allows, and their metrics."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fhvae.corpus.manifest import Phone
from fhvae.errors import TrialError
from fhvae.probes.accuracy import ProbeResult, chance
from fhvae.probes.rows import LabelledRows, Rows, label, phones_of, sample_rows
from fhvae.probes.tasks import Task, make_task, speaker_task, split_speakers
from fhvae.seeds import generator

log = logging.getLogger(__name__)

NO_PHONES = "the corpus has no phone times (phones.csv is empty)"


@dataclass(frozen=True)
class Plan:
    """The tasks that a corpus allows.

    Attributes:
        tasks: the questions.
        counts: by name of a task, what it rests on, as written to metrics.
        absent: by name of a task that is not possible, the reason.
    """

    tasks: Sequence[Task]
    counts: Mapping[str, Mapping[str, Any]]
    absent: Mapping[str, str]


@dataclass(frozen=True)
class Labelling:
    """What the phone probe needs beside the rows.

    Attributes:
        phones: alignments by utterance id.
        hop_ms: time from frame to frame.
    """

    phones: Mapping[str, tuple[Phone, ...]]
    hop_ms: float


def plan_tasks(
    rows: Mapping[str, Rows], labelling: Labelling, max_segments: int, seed: int
) -> Plan:
    """Build the phone and the speaker task, or say why one is not possible.

    Args:
        rows: by split: train, dev, test.
        labelling: phone times.
        max_segments: fitting rows, at most; a seeded sample beyond.
        seed: of the run.
    """
    tasks, counts, absent = [], {}, {}
    for name, build in (("phone", _plan_phone), ("speaker", _plan_speaker)):
        try:
            task, counts[name] = build(rows, labelling, max_segments, seed)
            tasks.append(task)
        except TrialError as error:
            log.warning("the %s probe is absent: %s", name, error)
            absent[name] = str(error)
    return Plan(tasks, counts, absent)


def _plan_phone(
    rows: Mapping[str, Rows], labelling: Labelling, max_segments: int, seed: int
) -> tuple[Task, dict[str, Any]]:
    """Fit on train, choose on dev, score on test."""
    if not labelling.phones:
        raise TrialError(NO_PHONES)
    labelled = {
        split: label(own, phones_of(own, labelling.phones, labelling.hop_ms))
        for split, own in rows.items()
    }
    unlabelled = {split: len(rows[split]) - len(own) for split, own in labelled.items()}
    random = generator(seed, "probes", "phone-segments")
    labelled["train"] = sample_rows(labelled["train"], max_segments, random)
    task = make_task("phone", labelled["train"], labelled["dev"], labelled["test"])
    counts = {
        "chance": chance(task),
        "classes": _classes(task.fit),
        "segments": {split: len(own) for split, own in labelled.items()},
        "unlabelled": unlabelled,
    }
    return task, counts


def _plan_speaker(
    rows: Mapping[str, Rows], labelling: Labelling, max_segments: int, seed: int
) -> tuple[Task, dict[str, Any]]:
    """Fit, choose and score on different utterances of the test speakers."""
    split = split_speakers(rows["test"], generator(seed, "speaker-probe"))
    if split.left_out:
        log.warning("left out of the speaker probe, too few utterances: %s", split.left_out)
    task = speaker_task(rows["test"], split)
    random = generator(seed, "probes", "speaker-segments")
    task = Task("speaker", sample_rows(task.fit, max_segments, random), task.choose, task.score)
    counts = {
        "chance": chance(task),
        "speakers": _classes(task.fit),
        "left_out": len(split.left_out),
        "segments": {
            "fit": len(task.fit),
            "choose": len(task.choose),
            "score": len(task.score),
        },
    }
    return task, counts


def _classes(rows: LabelledRows) -> int:
    return len(np.unique(rows.labels))


def summarize(plan: Plan, results: Mapping[str, Mapping[str, ProbeResult]]) -> dict[str, Any]:
    """Lay out the metrics of the stage probe, nested by task and input."""
    metrics: dict[str, Any] = {"absent": dict(plan.absent)}
    for task in plan.tasks:
        metrics[task.name] = dict(plan.counts[task.name])
        for name, result in results[task.name].items():
            metrics[task.name][name] = asdict(result)
            log.info("%s from %s: accuracy %.4f", task.name, name, result.accuracy)
    return metrics
