"""What both recognition stages start from: labels, conditions, and what had to be left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fhvae.artifacts import read_packed
from fhvae.corpus.manifest import Utterance
from fhvae.corpus.store import Corpus
from fhvae.params.recognition import RecognizerParams
from fhvae.recognition.conditions import Domains, Matrix, make_matrix
from fhvae.recognition.inputs import CLEAN, FramePaths
from fhvae.recognition.labels import Labels, make_labels, rows_needed
from fhvae.recognition.rows import row_count

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Materials:
    """Labels and conditions of a corpus.

    Attributes:
        labels: of all utterances with a transcript.
        matrix: training and test conditions.
        speakers: by utterance id.
        left_out: by split, utterances with frames but `without_transcript`, or with an
            `empty_reference` after folding.
        test_phones: scored phones of the clean test utterances.
        unknown_phones: those of them that no train utterance has: errors whatever is said.
        too_fast: train utterances with more phones than CTC can say in their rows.
    """

    labels: Labels
    matrix: Matrix
    speakers: Mapping[str, str]
    left_out: Mapping[str, Mapping[str, int]]
    test_phones: int
    unknown_phones: int
    too_fast: int


def gather_materials(
    corpus: Corpus, frames: FramePaths, params: RecognizerParams, seed: int
) -> Materials:
    """Lay out labels and conditions; no condition, and the reason, where a split has no labels."""
    present = {split: _with_frames(corpus, frames, split) for split in SPLITS}
    labels = make_labels(corpus.transcripts, [item.utterance_id for item in present["train"]])
    usable = {
        split: [item for item in items if item.utterance_id in labels.references]
        for split, items in present.items()
    }
    references = [labels.references[item.utterance_id] for item in usable["test"]]
    known = {name for item in usable["train"] for name in labels.references[item.utterance_id]}
    return Materials(
        labels=labels,
        matrix=_matrix(usable, frames, params, seed),
        speakers={item.utterance_id: item.speaker for item in corpus.utterances},
        left_out={
            split: _left_out(items, corpus.transcripts, labels) for split, items in present.items()
        },
        test_phones=sum(len(phones) for phones in references),
        unknown_phones=sum(name not in known for phones in references for name in phones),
        too_fast=_too_fast(frames, labels, params.shift),
    )


def _matrix(
    usable: Mapping[str, Sequence[Utterance]],
    frames: FramePaths,
    params: RecognizerParams,
    seed: int,
) -> Matrix:
    empty = [split for split, items in usable.items() if not items]
    if empty:
        reason = f"no utterance of {', '.join(empty)} has a transcript in phones"
        return Matrix((), (), {"per": reason, "gap": reason})
    domains = Domains(tuple(frames.domains("train")), tuple(frames.domains("test")))
    return make_matrix(usable, domains, params.speaker_shares, seed)


def _with_frames(corpus: Corpus, frames: FramePaths, split: str) -> list[Utterance]:
    """Take the utterances of a split that the stage fbank has kept."""
    kept = set(read_packed(frames.stem(CLEAN, split)).utterance_ids)
    return [item for item in corpus.split(split) if item.utterance_id in kept]


def _left_out(
    items: list[Utterance], transcripts: Mapping[str, tuple[str, ...]], labels: Labels
) -> dict[str, int]:
    names = [item.utterance_id for item in items]
    return {
        "without_transcript": sum(name not in transcripts for name in names),
        "empty_reference": sum(name in labels.empty for name in names),
    }


def _too_fast(frames: FramePaths, labels: Labels, shift: int) -> int:
    """Count train utterances whose labels do not fit into their rows; their CTC loss is 0."""
    train = read_packed(frames.stem(CLEAN, "train"))
    lengths = dict(zip(train.utterance_ids, train.lengths, strict=True))
    return sum(
        rows_needed(taught) > row_count(int(lengths[name]), shift)
        for name, taught in labels.taught.items()
    )
