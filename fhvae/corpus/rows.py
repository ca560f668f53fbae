"""What every list of utterances must keep, in whatever files a user writes it down.

A place says where a value stands, such as `corpus/manifest.csv row 3`; messages start with it.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path

from fhvae.corpus.manifest import Utterance
from fhvae.errors import CorpusError

UTTERANCE_ID = re.compile(r"[^\s/\\.][^\s/\\]*")  # also serves as a file name


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
    """Read a cell as a number; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


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
        CorpusError: it leads nowhere, such as round and round.
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
    if not target.is_file():
        raise CorpusError(f"{named} must name a file, {text!r} is not there")


def check_inside(root: Path, text: str, named: str) -> None:
    """Check that `text` names a file in the corpus folder `root`, links followed.

    Raises:
        CorpusError: it does not.
    """
    if not text or Path(text).is_absolute():
        raise CorpusError(f"{named} must be relative to {root}, got {text!r}")
    target = resolve_path(root, text, named)
    if not target.is_relative_to(root):
        raise CorpusError(f"{named} must stay inside the corpus folder, {text!r} leads outside")
    check_is_file(target, text, named)
