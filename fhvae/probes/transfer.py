"""Phone probes on a small corpus that the model never saw, each speaker scored by the others.

A corpus of eight speakers with phones marked by hand is too small to train on and to split in
three. Its speakers are dealt to folds. A fold is scored by a probe of all the others, whose
penalty was chosen among these others alone: for every fold g of them a probe of the rest is
tried on g. A probe fitted without f and g serves both the choice for f and that for g.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fhvae.artifacts import Packed
from fhvae.controls.pca import Pca
from fhvae.corpus.manifest import Recording
from fhvae.corpus.text import normalize_text
from fhvae.errors import TrialError
from fhvae.features.fbank import log_mel
from fhvae.features.normalize import Normalizer
from fhvae.inference import infer_latents
from fhvae.intervals import Interval, percentile_interval, resample_ratio
from fhvae.model.weights import TrainedModel
from fhvae.probes.accuracy import ProbeSetting, draws_of, score_task
from fhvae.probes.factors import Material, ask_phone
from fhvae.probes.folds import Nested, nested_answers
from fhvae.probes.rows import Controls, Rows, segment_rows
from fhvae.probes.scores import Answers, fold, speaker_sums
from fhvae.probes.summary import result_metrics
from fhvae.probes.tasks import Task, deal_speakers, fold_labels
from fhvae.seeds import generator

FOLDS = 4
SHIFT = 2  # frames between two segments: ten times the rows of the usual grid
INPUTS = ("fbank", "pca", "untrained", "z1", "z2")


@dataclass(frozen=True)
class Encoders:
    """What was made on another corpus, and is now applied to this one.

    Attributes:
        trained: the model.
        normalizer: of its train frames.
        untrained: the same network before training, or None.
        pca: fitted on its train segments, or None.
    """

    trained: TrainedModel
    normalizer: Normalizer
    untrained: TrainedModel | None = None
    pca: Pca | None = None


def leave_speakers_out(
    recordings: Sequence[Recording],
    encoders: Encoders,
    setting: ProbeSetting,
    folds: int = FOLDS,
    shift: int = SHIFT,
    keep_common: bool = False,
) -> dict[str, Any]:
    """Measure how well linear probes tell phones of speakers they were not fitted on.

    Args:
        recordings: with phones; their splits do not matter.
        encoders: model, normalizer, PCA.
        setting: penalties, draws and seed.
        folds: that the speakers are dealt to, balanced by sex; at least 3.
        shift: frames between two segments.
        keep_common: whether to keep sentences that every speaker reads; their words would be
            known to the probe.

    Returns:
        Metrics by input, as of the stage probe; what z1 has more than each other input, on the
        same drawn speakers; and what it rests on.

    Raises:
        TrialError: there are fewer speakers than folds, or no phones.
    """
    if folds < 3:
        raise ValueError(f"nested folds need at least 3, got {folds}")
    kept = list(recordings) if keep_common else without_common(recordings)
    genders = {one.utterance.speaker: one.utterance.gender for one in kept}
    if len(genders) < folds:
        raise TrialError(f"{folds} folds need as many speakers, found {len(genders)}")
    names = [f"fold{place}" for place in range(folds)]
    part = deal_speakers(genders, names, generator(setting.seed, "transfer", "folds"))
    task = phone_rows(kept, encoders, shift, setting.seed)
    of_row = np.array([part[speaker] for speaker in task.score.speakers.tolist()])
    said = {name: nested_answers(task.score, name, of_row, setting) for name in task.score.inputs}
    metrics = {name: _metrics(task, answers, setting) for name, answers in said.items()}
    gains = {
        name: _gain(task, said["z1"].answers, answers.answers, setting)
        for name, answers in said.items()
        if name != "z1"
    }
    return {
        **metrics,
        "z1_minus": {name: gain.metrics("accuracy") for name, gain in gains.items()},
        "classes": len(np.unique(fold_labels(task.score.labels, task.folding))),
        "speakers": len(genders),
        "folds": folds,
        "segments": len(task.score),
        "utterances": len(kept),
        "left_out_utterances": len(recordings) - len(kept),
    }


def without_common(recordings: Sequence[Recording]) -> list[Recording]:
    """Leave out the sentences that every speaker reads, such as TIMIT's sa1 and sa2."""
    everyone = {one.utterance.speaker for one in recordings}
    readers: dict[str, set[str]] = {}
    for one in recordings:
        readers.setdefault(normalize_text(one.utterance.text), set()).add(one.utterance.speaker)
    return [
        one
        for one in recordings
        if not (text := normalize_text(one.utterance.text)) or readers[text] != everyone
    ]


def phone_rows(recordings: Sequence[Recording], encoders: Encoders, shift: int, seed: int) -> Task:
    """Encode recordings; give the phone task with all rows in each of its parts.

    Raises:
        TrialError: a recording is shorter than a segment, or there are no phones.
    """
    trained = encoders.trained
    frames = pack_frames(recordings, encoders)
    short = [
        name
        for name, length in zip(frames.utterance_ids, frames.lengths, strict=True)
        if length < trained.segments.frames
    ]
    if short:
        raise TrialError(
            f"utterance {short[0]} must have {trained.segments.frames} frames; leave it out"
        )
    latents = infer_latents(trained, frames, shift)
    untrained = None
    if encoders.untrained is not None:
        untrained = infer_latents(encoders.untrained, frames, shift)
    utterances = [one.utterance for one in recordings]
    rows = segment_rows(latents, frames, utterances, Controls(untrained, encoders.pca))
    wanted = {name: values for name, values in rows.inputs.items() if name in INPUTS}
    every = {split: replace(rows, inputs=wanted) for split in ("train", "dev", "test")}
    return ask_phone(_material(recordings, every, trained.fbank.hop_ms, seed)).task


def _material(
    recordings: Sequence[Recording], rows: Mapping[str, Rows], hop_ms: float, seed: int
) -> Material:
    return Material(
        rows=rows,
        utterances=[one.utterance for one in recordings],
        phones={one.utterance.utterance_id: one.phones for one in recordings if one.phones},
        hop_ms=hop_ms,
        max_segments=10**9,
        clusters=0,
        seed=seed,
    )


def pack_frames(recordings: Sequence[Recording], encoders: Encoders) -> Packed:
    """Compute normalized frames of all recordings, sorted by utterance id."""
    ordered = sorted(recordings, key=lambda one: one.utterance.utterance_id)
    fbank = encoders.trained.fbank
    parts = [encoders.normalizer.apply(log_mel(one.samples, fbank)) for one in ordered]
    lengths = np.array([len(part) for part in parts], np.int64)
    return Packed(
        rows=np.concatenate(parts),
        utterance_ids=tuple(one.utterance.utterance_id for one in ordered),
        offsets=np.cumsum(lengths) - lengths,
        lengths=lengths,
    )


def _metrics(task: Task, nested: Nested, setting: ProbeSetting) -> dict[str, Any]:
    result = score_task(task, nested.answers, draws_of(task, setting), 0.0)
    found = result_metrics(result, "penalty")
    return {**found, "penalty": dict(nested.penalties)}


def _gain(task: Task, ours: Answers, theirs: Answers, setting: ProbeSetting) -> Interval:
    """Compute how much more often ours is right, on the same drawn speakers."""
    labels = fold_labels(task.score.labels, task.folding)
    right, other = (fold(one, task.folding).labels == labels for one in (ours, theirs))
    difference = right.astype(float) - other
    speakers = task.score.speakers
    sums, rows = (speaker_sums(one, speakers) for one in (difference, np.ones(len(labels))))
    resampled = resample_ratio(sums, rows, draws_of(task, setting))
    return percentile_interval(float(difference.mean()), resampled)
