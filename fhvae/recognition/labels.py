"""Transcripts -> what the recognizer is taught and scored on, and the errors that it makes.

TIMIT is taught in 48 classes and scored in 39; every other corpus as it is transcribed.
Neighboring pauses count as one, before training and before scoring (Lee & Hon 1989). Errors are
the fewest edits from spoken to recognized phones (jiwer).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fhvae.corpus.phone_classes import SILENCE, fold39, folding_for, is_silence, uses_timit

LETTERS = {"equal": "=", "substitute": "S", "delete": "D", "insert": "I"}


@dataclass(frozen=True)
class Labels:
    """Labels of all utterances that have a transcript.

    Attributes:
        classes: taught classes, sorted; label 0 is CTC's blank, class k is label k + 1.
        taught: by utterance id, labels of train utterances.
        references: by utterance id, scored classes of every utterance; never empty.
        empty: utterance ids whose transcript holds no class after folding, sorted.
        timit: whether the 39 classes of TIMIT are scored.
    """

    classes: tuple[str, ...]
    taught: Mapping[str, tuple[int, ...]]
    references: Mapping[str, tuple[str, ...]]
    empty: tuple[str, ...]
    timit: bool

    def decode(self, labels: Iterable[int]) -> tuple[str, ...]:
        """Turn recognized labels, without blanks, into scored classes."""
        return scored_classes([self.classes[label - 1] for label in labels], self.timit)


def merge_pauses(names: Iterable[str]) -> list[str]:
    """Keep one of several equal pauses in a row."""
    merged: list[str] = []
    for name in names:
        if not (merged and merged[-1] == name and is_silence(name)):
            merged.append(name)
    return merged


def scored_classes(names: Sequence[str], timit: bool) -> tuple[str, ...]:
    """Fold phones to the classes that are counted, each pause `sil`, neighboring pauses one."""
    folded = [fold39(name) if timit else name for name in names]
    kept = [SILENCE if is_silence(name) else name for name in folded if name is not None]
    return tuple(merge_pauses(kept))


def make_labels(transcripts: Mapping[str, Sequence[str]], train_ids: Iterable[str]) -> Labels:
    """Fold the transcripts of a corpus.

    Args:
        transcripts: phones as written, by utterance id.
        train_ids: utterances that may teach; their classes are all that can be recognized.
    """
    names = {name for phones in transcripts.values() for name in phones}
    fold, timit = folding_for(names, classes=48), uses_timit(names)
    teaching = {
        utterance_id: merge_pauses(
            [kept for name in transcripts[utterance_id] if (kept := fold(name)) is not None]
        )
        for utterance_id in train_ids
        if utterance_id in transcripts
    }
    classes = tuple(sorted({name for phones in teaching.values() for name in phones}))
    number = {name: place + 1 for place, name in enumerate(classes)}
    scored = {name: scored_classes(phones, timit) for name, phones in transcripts.items()}
    return Labels(
        classes=classes,
        taught={
            utterance_id: tuple(number[name] for name in phones)
            for utterance_id, phones in teaching.items()
            if phones
        },
        references={name: phones for name, phones in scored.items() if phones},
        empty=tuple(sorted(name for name, phones in scored.items() if not phones)),
        timit=timit,
    )


def row_count(frames: int, shift: int) -> int:
    """Count the rows of an utterance: ceil(frames / shift)."""
    return -(-frames // shift)


def rows_needed(labels: Sequence[int]) -> int:
    """Count the fewest rows in which CTC can say these labels: a blank between equal ones."""
    return len(labels) + sum(a == b for a, b in pairwise(labels))


@dataclass(frozen=True)
class Edits:
    """What turns the spoken phones of one utterance into the recognized ones.

    Attributes:
        operations: one letter per step of the alignment: = S D I.
    """

    operations: str

    @property
    def substitutions(self) -> int:
        """Phones recognized as another."""
        return self.operations.count("S")

    @property
    def deletions(self) -> int:
        """Spoken phones that were not recognized."""
        return self.operations.count("D")

    @property
    def insertions(self) -> int:
        """Recognized phones that were not spoken."""
        return self.operations.count("I")

    @property
    def errors(self) -> int:
        """All edits."""
        return len(self.operations) - self.operations.count("=")


def count_edits(
    references: Sequence[Sequence[str]], hypotheses: Sequence[Sequence[str]]
) -> list[Edits]:
    """Align utterances one by one.

    Args:
        references: spoken phones, at least one each.
        hypotheses: recognized phones, perhaps none.

    Raises:
        ValueError: a reference is empty, or there are not as many of the one as of the other.
    """
    import jiwer

    if len(references) != len(hypotheses) or not all(references):
        raise ValueError("each hypothesis needs a reference of at least one phone")
    if not references:
        return []
    output = jiwer.process_words(
        [" ".join(phones) for phones in references], [" ".join(phones) for phones in hypotheses]
    )
    return [Edits("".join(_letters(chunk) for chunk in chunks)) for chunks in output.alignments]


def _letters(chunk: Any) -> str:
    """Write one run of equal steps of jiwer's alignment."""
    spoken: int = chunk.ref_end_idx - chunk.ref_start_idx
    recognized: int = chunk.hyp_end_idx - chunk.hyp_start_idx
    return LETTERS[str(chunk.type)] * max(spoken, recognized)


def error_rate(references: Sequence[Sequence[str]], edits: Sequence[Edits]) -> float:
    """Divide all edits by all spoken phones."""
    return sum(one.errors for one in edits) / sum(len(phones) for phones in references)
