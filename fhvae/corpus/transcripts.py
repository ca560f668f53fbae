"""Which phones were said, in order, where nobody knows when.

A corpus folder of a user may hold `canonical_phones.txt`, the pronunciations of a dictionary:

    utterance_id HH_B AH0_I L_I OW1_E ...

in ARPAbet, with or without stress digits and positions in the word (_B, _I, _E, _S). Both marks
are taken off, so that the phones are the 39 lower-case classes.
"""

import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from fhvae.corpus.manifest import Phone, Utterance, read_lines, read_table
from fhvae.errors import ArtifactError, CorpusError

TRANSCRIPT_COLUMNS = ("utterance_id", "phones")
ARPABET = frozenset(
    "aa ae ah ao aw ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v "
    "w y z zh".split()
)
MARKED = re.compile(r"([A-Za-z]+)[0-2]?(?:_[BIES])?")

log = logging.getLogger(__name__)


def read_canonical(path: Path, utterances: Iterable[Utterance]) -> dict[str, tuple[str, ...]]:
    """Read canonical_phones.txt; utterances without a line are counted in a warning.

    Empty lines are allowed.

    Raises:
        CorpusError: the file is no text, or a line has an unknown or repeated utterance, no
            phone, or a symbol that is not ARPAbet.
    """
    known = [item.utterance_id for item in utterances]
    found: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        utterance_id, *symbols = line.split()
        place = f"{path} line {number}"
        if utterance_id in found:
            raise CorpusError(f"{place}: utterance {utterance_id} must have one line, it has two")
        if not symbols:
            raise CorpusError(f"{place}: utterance {utterance_id} must have phones, it has none")
        found[utterance_id] = tuple(unmarked(symbol, place) for symbol in symbols)
    _check_known(path, found, known)
    return found


def unmarked(symbol: str, place: str) -> str:
    """Take stress and position off a symbol: AH0_I -> ah."""
    match = MARKED.fullmatch(symbol)
    phone = match.group(1).lower() if match else ""
    if phone not in ARPABET:
        raise CorpusError(
            f"{place}: phones must be ARPAbet such as HH, AH0 or AH0_I, got {symbol!r}; other "
            "symbols have their place in phones.csv"
        )
    return phone


def _check_known(path: Path, found: Mapping[str, tuple[str, ...]], known: list[str]) -> None:
    """Refuse unknown utterances; count those without a line."""
    unknown = sorted(found.keys() - set(known))
    if unknown:
        raise CorpusError(
            f"{path}: utterances must be those of the manifest, {unknown[0]} is not there "
            f"({len(unknown)} in all)"
        )
    missing = sorted(set(known) - found.keys())
    if missing:
        log.warning(
            "%s has no line for %d of %d utterances, the first is %s; they have no transcript",
            path, len(missing), len(known), missing[0],
        )  # fmt: skip


def spoken_phones(phones: Iterable[Phone]) -> tuple[str, ...]:
    """Read a transcript off an alignment: the symbols in time order, pauses included."""
    return tuple(phone.phone for phone in phones)


def transcript_table(transcripts: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    """Lay transcripts out as the columns of transcripts.csv, phones joined by blanks."""
    rows = [(utterance_id, " ".join(phones)) for utterance_id, phones in transcripts.items()]
    return pd.DataFrame(rows, columns=list(TRANSCRIPT_COLUMNS))


def read_transcripts(path: Path) -> dict[str, tuple[str, ...]]:
    """Read transcripts.csv of a local corpus.

    Raises:
        ArtifactError: the file is missing.
    """
    if not path.exists():
        raise ArtifactError(f"{path} must exist; rerun the stages download and conditions")
    table = read_table(path, TRANSCRIPT_COLUMNS)
    return {
        utterance_id: tuple(phones.split(" "))
        for utterance_id, phones in zip(table["utterance_id"], table["phones"], strict=True)
    }
