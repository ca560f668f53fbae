"""The questions that a corpus allows: phone, speaker, sex, noise, F0 and sentence.

Every question is put to codes of one segment. mu2 is that of the whole utterance, so it has
seen more than the others.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fhvae.corpus.manifest import SPLITS, Phone, Utterance
from fhvae.corpus.phone_classes import fold39, folding_for, is_silence, uses_timit
from fhvae.corpus.text import normalize_text
from fhvae.errors import TrialError
from fhvae.intervals import INTERVALS, why_no_interval
from fhvae.params.probes import ProbesParams
from fhvae.probes.rows import (
    LabeledRows,
    Rows,
    by_utterance,
    join,
    label,
    phones_of,
    sample,
    take,
)
from fhvae.probes.tasks import (
    ControlLabels,
    Task,
    chance,
    check_task,
    cluster_count,
    control_labels,
    deal_speakers,
    fold_labels,
    speaker_task,
    split_speakers,
)
from fhvae.seeds import generator

log = logging.getLogger(__name__)

CODES = ("fbank", "pca", "untrained", "z1", "z2", "mu2")  # rows of the matrix
NO_PHONES = "the corpus has no phone times"
NOISE_PARTS = ("fit", "score", "fit", "choose")  # of the test speakers


@dataclass(frozen=True)
class Material:
    """What questions are made of.

    Attributes:
        rows: by split: train, dev, test.
        utterances: of all splits, for gender and text.
        phones: alignments by utterance id.
        hop_ms: time from frame to frame.
        params: section `probes`.
        seed: of the run.
        log_f0: by utterance id, None where nothing is voiced; empty where not measured.
        noisy: rows of test by signal-to-noise ratio in dB.
        common: rows of sentences that speakers of all splits read, where they stand apart.
        heard: utterances of dev and test whose sentence train has too; no phone is asked of them.
        with_control: whether labels without meaning are wanted too.
    """

    rows: Mapping[str, Rows]
    utterances: Sequence[Utterance]
    phones: Mapping[str, tuple[Phone, ...]]
    hop_ms: float
    params: ProbesParams
    seed: int
    log_f0: Mapping[str, float | None] = field(default_factory=dict)
    noisy: Mapping[float, Rows] = field(default_factory=dict)
    common: Rows | None = None
    heard: Set[str] = frozenset()
    with_control: bool = True


@dataclass(frozen=True)
class Question:
    """A task and what it rests on, as written to metrics."""

    task: Task
    counts: Mapping[str, Any]


def narrow(rows: Rows, names: Collection[str] = CODES) -> Rows:
    """Keep some of the inputs."""
    return replace(rows, inputs={name: one for name, one in rows.inputs.items() if name in names})


def _question(task: Task, classes: str = "classes", **counts: Any) -> Question:
    """Check a task and count its rows and classes."""
    check_task(task)
    parts = {"fit": task.fit, "choose": task.choose, "score": task.score}
    found: dict[str, Any] = {
        "chance": chance(task),
        "segments": {part: len(rows) for part, rows in parts.items()},
    }
    if not task.is_regression:
        found[classes] = len(np.unique(fold_labels(task.fit.labels, task.folding)))
    return Question(task, found | counts)


def ask_phone(material: Material) -> Question:
    """Ask for the phone at the center: fit on train, choose on dev, score on test.

    TIMIT's 61 symbols are fitted as 48 classes and scored as 39. Sentences of dev and test that
    train has heard are left out.
    """
    if not material.phones:
        raise TrialError(f"{NO_PHONES} (phones.csv is empty)")
    names = {phone.phone for phones in material.phones.values() for phone in phones}
    to_fit = folding_for(names, classes=48)
    random = generator(material.seed, "probes", "phone-segments")
    parts, unlabelled, left_out = {}, {}, {}
    for split, rows in material.rows.items():
        heard = np.isin(rows.utterance_ids, sorted(material.heard))
        left_out[split] = len(np.unique(rows.utterance_ids[heard]))
        found = phones_of(rows, material.phones, material.hop_ms)
        labels = [
            None if name is None or was_heard else to_fit(name)
            for name, was_heard in zip(found, heard.tolist(), strict=True)
        ]
        unlabelled[split] = labels.count(None) - int(heard.sum())
        most = material.params.max_segments if split == "train" else None
        parts[split] = label(rows, labels, most, random)
    folding = _to_scored(names, {to_fit(name) for name in names})
    known = {folding.get(name, name) for part in parts.values() for name in part.labels.tolist()}
    task = Task("phone", parts["train"], parts["dev"], parts["test"], folding)
    task = replace(task, silence=frozenset(name for name in known if is_silence(name)))
    question = _question(
        task,
        segments={split: len(part) for split, part in parts.items()},
        unlabelled=unlabelled,
        heard_utterances=left_out,
        fitted_classes=len(np.unique(task.fit.labels)),
        silence=int(np.isin(fold_labels(task.score.labels, folding), sorted(task.silence)).sum()),
    )
    return _with_control(question, material) if material.with_control else question


def _to_scored(names: Collection[str], fitted: Collection[str | None]) -> dict[str, str]:
    """Map each class that is fitted to the one that is scored; nothing where they are the same."""
    if not uses_timit(names):
        return {}
    folded = {name: fold39(name) for name in fitted if name is not None}
    return {name: target for name, target in folded.items() if target is not None}


def _with_control(question: Question, material: Material) -> Question:
    task = question.task
    frames = material.rows["train"].inputs["fbank"]
    clusters = cluster_count(len(task.fit), material.params.control_clusters)
    fit, score = control_labels(
        np.asarray(frames[np.arange(len(material.rows["train"]))]),
        task.fit.labels,
        (task.fit.inputs["fbank"], task.score.inputs["fbank"]),
        clusters,
        material.params,
        generator(material.seed, "probes", "control"),
    )
    if len(np.unique(fit)) < 2:
        return question
    counts = {**question.counts, "control_clusters": clusters}
    return Question(replace(task, control=ControlLabels(fit, score)), counts)


def ask_speaker(material: Material) -> Question:
    """Ask which test speaker it is: fit, choose and score on different utterances of them."""
    rows = narrow(material.rows["test"])
    params = material.params
    split = split_speakers(rows, params.fit_share, generator(material.seed, "speaker-probe"))
    random = generator(material.seed, "probes", "speaker-segments")
    task = speaker_task(rows, split, params.max_segments, random)
    return _question(task, "speakers", left_out=len(split.left_out))


def ask_sex(material: Material) -> Question:
    """Ask for the sex of a speaker never fitted on."""
    genders = {one.utterance_id: one.gender or None for one in material.utterances}
    if not any(genders.values()):
        raise TrialError("the corpus does not say which speakers are women or men")
    return _ask_utterances(material, "sex", genders)


def ask_sentence(material: Material) -> Question:
    """Ask which of the sentences that speakers of all splits read is spoken.

    A speaker belongs to the split that all other utterances of theirs are in.
    """
    split_of = {one.speaker: one.split for one in material.utterances if one.split in SPLITS}
    readers: dict[str, set[str]] = defaultdict(set)
    for one in material.utterances:
        readers[normalize_text(one.text)].add(split_of[one.speaker])
    shared = {text for text, found in readers.items() if text and found >= set(SPLITS)}
    if len(shared) < 2:
        raise TrialError(
            "the sentence probe needs 2 sentences spoken in each of train, dev and test, "
            f"found {len(shared)}"
        )
    texts = {one.utterance_id: normalize_text(one.text) for one in material.utterances}
    spoken = {name: text if text in shared else None for name, text in texts.items()}
    return _ask_utterances(material, "sentence", spoken, _apart(material, spoken, split_of))


def _apart(
    material: Material, spoken: Mapping[str, str | None], split_of: Mapping[str, str]
) -> dict[str, LabeledRows]:
    """Deal the rows of `common` out by the split of their speakers."""
    if material.common is None:
        return {}
    rows = label(narrow(material.common), by_utterance(material.common, spoken))
    whose = np.array([split_of[speaker] for speaker in rows.speakers.tolist()], dtype=str)
    return {split: take(rows, whose == split) for split in SPLITS}


def ask_f0(material: Material) -> Question:
    """Ask for the mean log F0 of the utterance, of speakers never fitted on."""
    if not any(value is not None for value in material.log_f0.values()):
        raise TrialError("no utterance has a voiced frame to measure F0 on")
    question = _ask_utterances(material, "f0", material.log_f0)
    unvoiced = sum(value is None for value in material.log_f0.values())
    return Question(question.task, {**question.counts, "unvoiced_utterances": unvoiced})


def _ask_utterances(
    material: Material,
    name: str,
    labels: Mapping[str, str | float | None],
    more: Mapping[str, LabeledRows] | None = None,
) -> Question:
    """Ask for something of the utterance: fit on train, choose on dev, score on test.

    Args:
        material: rows of the splits.
        name: of the task.
        labels: by utterance id; rows of those with None are left out.
        more: by split, rows that come after those of the split.
    """
    random = generator(material.seed, "probes", f"{name}-segments")
    parts = {}
    for split, rows in material.rows.items():
        own = label(narrow(rows), by_utterance(rows, labels))
        parts[split] = join([own, more[split]]) if more else own
    parts["train"] = sample(parts["train"], material.params.max_segments, random)
    return _question(Task(name, parts["train"], parts["dev"], parts["test"]))


def ask_snr(material: Material) -> Question:
    """Ask how many dB the noise lies below the speech, of noisy copies of test utterances.

    Fitted on half of the test speakers, chosen on a quarter, scored on a quarter.
    """
    if len(material.noisy) < 2:
        raise TrialError(
            "the snr probe needs noisy copies of test at 2 levels at least, found "
            f"{len(material.noisy)}; see domains.test"
        )
    genders = {one.speaker: one.gender for one in material.utterances if one.split == "test"}
    if len(genders) < len(NOISE_PARTS):
        raise TrialError(
            f"the snr probe needs {len(NOISE_PARTS)} test speakers, found {len(genders)}"
        )
    part = deal_speakers(genders, NOISE_PARTS, generator(material.seed, "probes", "snr-speakers"))
    levels = [
        label(narrow(rows), [float(snr_db)] * len(rows)) for snr_db, rows in material.noisy.items()
    ]
    everything = join(levels)
    whose = np.array([part[speaker] for speaker in everything.speakers.tolist()])
    fit, choose, score = (take(everything, whose == one) for one in ("fit", "choose", "score"))
    random = generator(material.seed, "probes", "snr-segments")
    task = Task("snr", sample(fit, material.params.max_segments, random), choose, score)
    return _question(task, levels_db=sorted(int(snr_db) for snr_db in material.noisy))


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
