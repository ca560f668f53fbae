"""The label files of TIMIT: a line `begin end label` in samples at 16 kHz.

.PHN  phones, 61 symbols, without overlap
.WRD  words; neighbours share samples where they share a phone, so overlaps are no slip
.TXT  one line, the sentence

Source: readme.doc of the disc, section 5, and its "Notes on the Word Alignments".
"""

import re
from dataclasses import dataclass
from pathlib import Path

from fhvae.corpus.manifest import SAMPLE_RATE_HZ, Phone, Word, read_lines
from fhvae.corpus.phone_classes import timit_table
from fhvae.errors import CorpusError

LABEL = re.compile(r"\s*([0-9]+)\s+([0-9]+)\s+(\S+)\s*")
SENTENCE = re.compile(r"\s*[0-9]+\s+[0-9]+\s+(\S.*)")


@dataclass(frozen=True)
class Label:
    """A line of a label file.

    Attributes:
        begin, end: samples from the start of the recording.
        place: file and line, for messages.
    """

    begin: int
    end: int
    text: str
    place: str


def read_phones(path: Path) -> tuple[Phone, ...]:
    """Read a .PHN file; the symbols stay TIMIT's 61.

    The last phone may end a little after the recording does; `check_alignment` says how little.

    Raises:
        CorpusError: a line is malformed, overlaps the one before or has another symbol.
    """
    phones = []
    previous = 0
    for label in _read_labels(path):
        symbol = label.text.lower()
        if label.begin < previous:
            raise CorpusError(
                f"{label.place}: phones must not overlap, {symbol} begins at sample "
                f"{label.begin}, the one before ends at {previous}"
            )
        if symbol not in timit_table()[48]:
            raise CorpusError(
                f"{label.place}: phones must be among the 61 symbols of TIMIT, got {label.text!r}"
            )
        phones.append(Phone(label.begin / SAMPLE_RATE_HZ, label.end / SAMPLE_RATE_HZ, symbol))
        previous = label.end
    return tuple(phones)


def read_words(path: Path) -> tuple[Word, ...]:
    """Read a .WRD file, in order of their beginnings.

    Raises:
        CorpusError: a line is malformed.
    """
    labels = sorted(_read_labels(path), key=lambda label: label.begin)
    return tuple(
        Word(label.begin / SAMPLE_RATE_HZ, label.end / SAMPLE_RATE_HZ, label.text)
        for label in labels
    )


def read_text(path: Path) -> str:
    """Read the sentence from a .TXT file.

    Raises:
        CorpusError: it is not one line of two numbers and a text.
    """
    lines = [line for line in read_lines(path) if line.strip()]
    found = SENTENCE.fullmatch(lines[0]) if len(lines) == 1 else None
    if found is None:
        raise CorpusError(
            f"{path} must be one line of two sample numbers and a sentence, "
            f"got {len(lines)} lines{f', {lines[0]!r} first' if lines else ''}"
        )
    return found.group(1).strip()


def _read_labels(path: Path) -> list[Label]:
    """Read the lines of a label file; empty ones are allowed, an empty file is not."""
    labels = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        place = f"{path} line {number}"
        found = LABEL.fullmatch(line)
        if found is None or int(found.group(1)) >= int(found.group(2)):
            raise CorpusError(
                f"{place}: must hold two sample numbers, the second larger, and a label, "
                f"got {line.strip()!r}"
            )
        labels.append(Label(int(found.group(1)), int(found.group(2)), found.group(3), place))
    if not labels:
        raise CorpusError(f"{path} must hold labels, it is empty; copy it again")
    return labels
