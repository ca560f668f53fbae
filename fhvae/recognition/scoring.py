"""Phone errors of recognised against spoken phones, by minimal edits (jiwer)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LETTERS = {"equal": "=", "substitute": "S", "delete": "D", "insert": "I"}


@dataclass(frozen=True)
class Edits:
    """What turns the spoken phones of one utterance into the recognised ones.

    Attributes:
        operations: one letter per step of the alignment: = S D I.
    """

    operations: str

    @property
    def substitutions(self) -> int:
        """Phones recognised as another."""
        return self.operations.count("S")

    @property
    def deletions(self) -> int:
        """Spoken phones that were not recognised."""
        return self.operations.count("D")

    @property
    def insertions(self) -> int:
        """Recognised phones that were not spoken."""
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
        hypotheses: recognised phones, perhaps none.

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
    recognised: int = chunk.hyp_end_idx - chunk.hyp_start_idx
    return LETTERS[str(chunk.type)] * max(spoken, recognised)


def error_rate(references: Sequence[Sequence[str]], edits: Sequence[Edits]) -> float:
    """Divide all edits by all spoken phones."""
    return sum(one.errors for one in edits) / sum(len(phones) for phones in references)
