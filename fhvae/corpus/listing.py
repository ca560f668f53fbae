"""What a corpus says of itself before a sample is read, and what every list of it must keep.

A recipe gives a `Listing`. Where a user wrote the files, the checks below hold: a place says
where a value stands, such as `corpus/manifest.csv row 3`; messages start with it.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fhvae.corpus.manifest import Phone, Utterance, Word
from fhvae.errors import CorpusError

DURATION_TOLERANCE_S = 0.1  # between what a list promises and what its file lasts
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
UTTERANCE_ID = re.compile(r"[^\s/\\.][^\s/\\]*")  # also serves as a file name


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


def check_names(utterance_id: str, speaker: str, place: str) -> None:
    """Check the names of an utterance and of its speaker.

    Raises:
        CorpusError: one of them is no usable name.
    """
    if not UTTERANCE_ID.fullmatch(utterance_id) or not utterance_id.isprintable():
        raise CorpusError(
            f"{place}: utterance_id must be a name without blanks and slashes, printable, "
            f"not starting with a point, got {utterance_id!r}"
        )
    if not speaker or speaker != speaker.strip() or not speaker.isprintable():
        raise CorpusError(
            f"{place}: speaker of {utterance_id} must be a name without blanks around it, "
            f"printable, got {speaker!r}"
        )


def to_number(text: str) -> float:
    """Read a cell as a number; NaN where it is none, as `1_0`, which Python alone takes for one."""
    return float(text) if NUMBER.fullmatch(text.strip()) else math.nan


def to_seconds(text: str, named: str) -> float:
    """Read a length in seconds; `named` says in messages whose it is.

    Raises:
        CorpusError: it is not a finite number above 0.
    """
    seconds = to_number(text)
    if not 0 < seconds < math.inf:
        raise CorpusError(f"{named} must be seconds above 0, got {text!r}")
    return seconds


def check_unique(utterances: Sequence[Utterance], places: Sequence[str]) -> None:
    """Check that no two utterances share an id.

    Raises:
        CorpusError: two do; both places are named.
    """
    first: dict[str, str] = {}
    for utterance, place in zip(utterances, places, strict=True):
        name = utterance.utterance_id
        if name in first:
            file = place.rsplit(" ", 2)[0]
            other = first[name].removeprefix(f"{file} ")
            raise CorpusError(f"{place}: utterance_id must be unique, {name} is also in {other}")
        first[name] = place


def resolve_path(root: Path, text: str, named: str) -> Path:
    """Follow a path, which counts from `root` where it is relative, and its links.

    Raises:
        CorpusError: it leads nowhere, or in a circle.
    """
    try:
        return (root / text).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL character
        raise CorpusError(f"{named} must name a file, got {text!r} ({error})") from error


def check_is_file(target: Path, text: str, named: str) -> None:
    """Check that `text`, which leads to `target`, names a file.

    Raises:
        CorpusError: it does not.
    """
    if not is_file(target):
        raise CorpusError(f"{named} must name a file, {text!r} is not there")


def is_file(path: Path) -> bool:
    """Tell whether a path of a table, which may be no path at all, leads to a file."""
    try:
        return path.is_file()
    except OSError:  # the name is too long, or a folder may not be read
        return False


def check_inside(root: Path, text: str, named: str) -> None:
    """Check that `text` names a file in the folder `root` of a table, links followed.

    Raises:
        CorpusError: it does not.
    """
    if not text or Path(text).is_absolute():
        raise CorpusError(f"{named} must be relative to {root}, got {text!r}")
    target = resolve_path(root, text, named)
    if not target.is_relative_to(root):
        raise CorpusError(f"{named} must stay inside {root}, {text!r} leads outside")
    check_is_file(target, text, named)
