"""What a corpus says of itself before a sample is read: the common outcome of every reader."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fhvae.corpus.manifest import Phone, Utterance, Word


@dataclass(frozen=True)
class Source:
    """Where the recording of an utterance lies.

    Attributes:
        file: an audio file.
        start_s, end_s: the part of it, in seconds; the whole file where both are None.
    """

    file: Path
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True)
class Listing:
    """All utterances of a corpus, with what is known of them.

    Attributes:
        where: the file or folder that a message about the corpus names.
        utterances: ids unique, splits filled and checked (`check_splits`); a duration of 0 is
            not known until the recording is read.
        sources: of every utterance, by id.
        phones, words: alignments, in time order, by utterance id; absent where unknown.
        transcripts: phones without times, by utterance id; an utterance that is not here has
            those of `phones`.
    """

    where: str
    utterances: tuple[Utterance, ...]
    sources: Mapping[str, Source]
    phones: Mapping[str, tuple[Phone, ...]] = field(default_factory=dict)
    words: Mapping[str, tuple[Word, ...]] = field(default_factory=dict)
    transcripts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
