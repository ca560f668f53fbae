"""Phone probes on a small corpus that the model never saw, each speaker scored by the others.

A corpus of eight speakers with phones marked by hand is too small to train on and to split in
three. Its speakers are dealt to folds. A fold is scored by a probe of all the others, whose
penalty was chosen among these others alone: for every fold g of them a probe of the rest is
tried on g. A probe fitted without f and g serves both the choice for f and that for g.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from fhvae.corpus.manifest import Recording
from fhvae.corpus.text import normalize_text
from fhvae.errors import TrialError
from fhvae.features.fbank import log_mel
from fhvae.features.normalize import Normalizer
from fhvae.files.packed import Packed
from fhvae.parallel import map_in_order
from fhvae.params.fbank import FbankParams
from fhvae.params.probes import ProbesParams
from fhvae.probes.classifiers import Examples, linear_classifiers
from fhvae.probes.questions import Material, ask_phone
from fhvae.probes.rows import Coders, LabeledRows, Rows, encode_rows
from fhvae.probes.scores import (
    Answers,
    right_rows,
    row_interval,
    score_task,
    surprise_bits,
)
from fhvae.probes.tasks import Task, deal_speakers, fold_labels
from fhvae.seeds import generator

FOLDS = 4  # of speakers: two teach, one chooses, one is scored, in turn
SHIFT = 2  # frames between two segments: ten times the rows of the usual grid
INPUTS = ("fbank", "pca", "untrained", "z1", "z2")


@dataclass(frozen=True)
class FoldFit:
    """A probe to fit without some folds, and to try on them.

    Attributes:
        rows, labels: all rows of one input.
        folds: `[row]`, fold of each row's speaker.
        without: folds kept out of the fit.
        penalties: to try.
        smoothing: of the cross-entropy that chooses.
    """

    rows: np.ndarray
    labels: np.ndarray
    folds: np.ndarray
    without: tuple[str, ...]
    penalties: tuple[float, ...]
    smoothing: float


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


def leave_speakers_out(
    recordings: Sequence[Recording],
    coders: Coders,
    normalizer: Normalizer,
    params: ProbesParams,
    seed: int,
    folds: int = FOLDS,
    shift: int = SHIFT,
    chose: Collection[str] = (),
) -> dict[str, Any]:
    """Measure how well linear probes tell phones of speakers they were not fitted on.

    Sentences that every speaker reads are left out: the probe would know their words.

    Args:
        recordings: with phones; their splits do not matter.
        coders: made on another corpus.
        normalizer: of the train frames of that corpus.
        params: the penalties.
        seed: of the run.
        folds: that the speakers are dealt to, balanced by sex; at least 3.
        shift: frames between two segments.
        chose: speakers by whom settings of the model were chosen.

    Returns:
        Metrics by input, as of the stage probe; what z1 has more than each other input, row by
        row; of each input, as `others`, the accuracy on the speakers that chose nothing, if some
        did; and what it rests on.

    Raises:
        TrialError: there are fewer speakers than folds, or no phones.
    """
    if folds < 3:
        raise ValueError(f"nested folds need at least 3, got {folds}")
    kept = without_common(recordings)
    genders = {one.utterance.speaker: one.utterance.gender for one in kept}
    if len(genders) < folds:
        raise TrialError(f"{folds} folds need as many speakers, found {len(genders)}")
    names = [f"fold{place}" for place in range(folds)]
    part = deal_speakers(genders, names, generator(seed, "transfer", "folds"))
    task = phone_rows(kept, coders, normalizer, params, shift, seed)
    of_row = np.array([part[speaker] for speaker in task.score.speakers.tolist()])
    said = {name: nested_answers(task.score, name, of_row, params) for name in task.score.inputs}
    metrics = {name: _metrics(task, one, params.smoothing) for name, one in said.items()}
    right = {name: right_rows(one.answers, task).astype(float) for name, one in said.items()}
    gains = {
        name: row_interval(right["z1"] - own, task.score.speakers)
        for name, own in right.items()
        if name != "z1"
    }
    others = ~np.isin(task.score.speakers, sorted(chose))
    if chose:
        for name, own in right.items():
            metrics[name]["others"] = {"accuracy": float(own[others].mean())}
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


def phone_rows(
    recordings: Sequence[Recording],
    coders: Coders,
    normalizer: Normalizer,
    params: ProbesParams,
    shift: int,
    seed: int,
) -> Task:
    """Encode recordings; give the phone task with all rows in each of its parts.

    Raises:
        TrialError: a recording is shorter than a segment, or there are no phones.
    """
    trained = coders.trained
    frames = pack_frames(recordings, trained.fbank, normalizer)
    short = [
        name
        for name, length in zip(frames.utterance_ids, frames.lengths, strict=True)
        if length < trained.segments.frames
    ]
    if short:
        raise TrialError(
            f"utterance {short[0]} must have {trained.segments.frames} frames; leave it out"
        )
    rows = encode_rows(frames, coders, shift, [one.utterance for one in recordings])
    wanted = {name: values for name, values in rows.inputs.items() if name in INPUTS}
    every = {split: replace(rows, inputs=wanted) for split in ("train", "dev", "test")}
    return ask_phone(_material(recordings, every, trained.fbank.hop_ms, params, seed)).task


def _material(
    recordings: Sequence[Recording],
    rows: Mapping[str, Rows],
    hop_ms: float,
    params: ProbesParams,
    seed: int,
) -> Material:
    return Material(
        rows=rows,
        utterances=[one.utterance for one in recordings],
        phones={one.utterance.utterance_id: one.phones for one in recordings if one.phones},
        hop_ms=hop_ms,
        params=replace(params, max_segments=sum(len(one) for one in rows.values())),  # all
        seed=seed,
        with_control=False,
    )


def pack_frames(
    recordings: Sequence[Recording], fbank: FbankParams, normalizer: Normalizer
) -> Packed:
    """Compute normalized frames of all recordings, sorted by utterance id."""
    ordered = sorted(recordings, key=lambda one: one.utterance.utterance_id)
    parts = [normalizer.apply(log_mel(one.samples, fbank)) for one in ordered]
    lengths = np.array([len(part) for part in parts], np.int64)
    return Packed(
        rows=np.concatenate(parts),
        utterance_ids=tuple(one.utterance.utterance_id for one in ordered),
        offsets=np.cumsum(lengths) - lengths,
        lengths=lengths,
    )


def _metrics(task: Task, nested: Nested, smoothing: float) -> dict[str, Any]:
    found = score_task(task, nested.answers, 0.0, smoothing).metrics("penalty")
    return {**found, "penalty": dict(nested.penalties)}


def nested_answers(rows: LabeledRows, name: str, folds: np.ndarray, params: ProbesParams) -> Nested:
    """Choose a penalty for each fold on the others, and let the others answer for it.

    Args:
        rows: all of them.
        name: of the input.
        folds: `[row]`.
        params: penalties to choose from, and smoothing.
    """
    penalties, smoothing = params.penalties, params.smoothing
    names = sorted(set(folds.tolist()))
    inputs, labels = rows.inputs[name], rows.labels
    pairs = [
        FoldFit(inputs, labels, folds, pair, penalties, smoothing)
        for pair in combinations(names, 2)
    ]
    tried = list(map_in_order(try_folds, pairs, f"{name}: penalties", unit="fit"))
    chosen = {own: _choose(own, pairs, tried, penalties) for own in names}
    finals = [FoldFit(inputs, labels, folds, (own,), (chosen[own],), smoothing) for own in names]
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
    seen = Examples(fit.rows[~out], fit.labels[~out])
    for model in linear_classifiers(seen, fit.penalties):
        for name in fit.without:
            own = fit.folds == name
            last = model.answers(fit.rows[own])
            bits[name][model.probe.chosen] = float(
                surprise_bits(last, fit.labels[own], fit.smoothing).sum()
            )
    assert last is not None
    return FoldAnswers(bits, last)
