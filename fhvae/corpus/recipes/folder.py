"""A corpus of your own: a folder with manifest.csv, audio files and, if known, phones.

A folder without manifest.csv may hold the lists of Kaldi instead (`fhvae.corpus.recipes.kaldi`).
The columns and everything that is refused: docs/corpora.md. Tables are checked in full
before the first file is decoded, so that a slip costs seconds.
"""

import logging
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fhvae.corpus.listing import (
    DURATION_TOLERANCE_S,
    Listing,
    Source,
    check_inside,
    check_names,
    check_unique,
    to_number,
    to_seconds,
)
from fhvae.corpus.manifest import (
    COLUMNS,
    OPTIONAL_COLUMNS,
    PHONE_COLUMNS,
    SPLITS,
    Phone,
    Utterance,
    assign_splits,
    check_alignment,
    check_splits,
    read_lines,
    read_table,
    table_rows,
)
from fhvae.corpus.recipes.kaldi import kaldi_folders, read_kaldi
from fhvae.errors import CorpusError
from fhvae.params.corpus import CorpusParams, SplitParams
from fhvae.seeds import generator

GENDERS = ("M", "F", "")
ARPABET = frozenset(
    "aa ae ah ao aw ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v "
    "w y z zh".split()
)
SYMBOL = re.compile(r"\S+")
MARKED = re.compile(r"([A-Za-z]+)[0-2]?(?:_[BIES])?")  # AH0_I

log = logging.getLogger(__name__)


def read_folder(params: CorpusParams) -> Listing:
    """Read the tables of the corpus in `corpus.path`.

    Raises:
        CorpusError: a table or a file is not what docs/corpora.md asks for.
        TrialError: a split has fewer than two speakers.
    """
    if params.path is None:
        raise ValueError("corpus.path is needed")
    return read_tables(Path(params.path), params)


def is_listed(folder: Path) -> bool:
    """Tell whether a folder has a manifest or lists of Kaldi."""
    return (folder / "manifest.csv").exists() or bool(kaldi_folders(folder))


def read_tables(folder: Path, params: SplitParams) -> Listing:
    """Read the tables in a folder, as `read_folder` does."""
    if not (folder / "manifest.csv").exists():
        return _read_lists(folder, params)
    utterances = read_manifest(folder, params)
    return Listing(
        where=str(folder / "manifest.csv"),
        utterances=tuple(utterances),
        sources={item.utterance_id: Source(folder / item.path) for item in utterances},
        phones=read_phones(folder / "phones.csv", utterances),
        transcripts=read_canonical(folder / "canonical_phones.txt", utterances),
    )


def _read_lists(folder: Path, params: SplitParams) -> Listing:
    """Read the lists of Kaldi where there is no manifest.csv."""
    if not kaldi_folders(folder):
        raise CorpusError(
            f"{folder / 'manifest.csv'} must exist, or Kaldi's wav.scp beside it or in its folders "
            "train, dev and test; see docs/corpora.md"
        )
    return read_kaldi(folder, params)


def read_manifest(folder: Path, params: SplitParams) -> list[Utterance]:
    """Read and check manifest.csv; fill the empty splits by speaker."""
    path = folder / "manifest.csv"
    rows = read_table(path, COLUMNS, OPTIONAL_COLUMNS).to_dict("records")
    places = [f"{path} row {number}" for number in range(2, len(rows) + 2)]  # row 1: the header
    utterances = [_utterance(row, place) for row, place in zip(rows, places, strict=True)]
    check_unique(utterances, places)
    _check_genders(utterances, places)
    root = folder.resolve()
    for utterance, place in zip(utterances, places, strict=True):
        check_inside(root, utterance.path, f"{place}: path of {utterance.utterance_id}")
    random = generator(params.seed, "splits")
    utterances = assign_splits(utterances, params.dev_fraction, params.test_fraction, random)
    check_splits(utterances, str(path))
    return utterances


def _utterance(row: Mapping[str, str], place: str) -> Utterance:
    """Check the cells of one row of manifest.csv."""
    name = row["utterance_id"]
    check_names(name, row["speaker"], place)
    if row["gender"] not in GENDERS:
        raise CorpusError(f"{place}: gender of {name} must be M, F or empty, got {row['gender']!r}")
    if row["split"] not in (*SPLITS, ""):
        raise CorpusError(
            f"{place}: split of {name} must be train, dev, test or empty, got {row['split']!r}"
        )
    duration_s = to_seconds(row["duration_s"], f"{place}: duration_s of {name}")
    columns = (*COLUMNS, *OPTIONAL_COLUMNS)
    texts = {column: row[column] for column in columns if column != "duration_s"}
    return Utterance(**texts, duration_s=duration_s)


def _check_genders(utterances: Sequence[Utterance], places: Sequence[str]) -> None:
    first: dict[str, Utterance] = {}
    for utterance, place in zip(utterances, places, strict=True):
        known = first.setdefault(utterance.speaker, utterance)
        if known.gender != utterance.gender:
            raise CorpusError(
                f"{place}: gender of speaker {utterance.speaker} must be the same in all rows, "
                f"got {utterance.gender!r} for {utterance.utterance_id} "
                f"and {known.gender!r} for {known.utterance_id}"
            )


def read_phones(
    path: Path, utterances: Iterable[Utterance], known_only: bool = True
) -> dict[str, tuple[Phone, ...]]:
    """Read and check phones.csv; no file, no phones.

    Args:
        path: of the file.
        utterances: of the corpus; where a duration is not known, times are not held against it.
        known_only: refuse phones of an utterance that is not in the corpus; else pass over them.
    """
    if not path.exists():
        return {}
    durations = {item.utterance_id: item.duration_s for item in utterances}
    found: dict[str, list[Phone]] = {}
    rows = table_rows(path, PHONE_COLUMNS)
    for number, (name, start, end, phone) in enumerate(rows, start=2):
        if name not in durations:
            if not known_only:
                continue
            raise CorpusError(
                f"{path} row {number}: utterance_id must be one of the manifest, got {name!r}"
            )
        times = Phone(to_number(start), to_number(end), sys.intern(phone))
        timed = math.isfinite(times.start_s) and math.isfinite(times.end_s)
        if not (timed and SYMBOL.fullmatch(phone)):
            raise CorpusError(
                f"{path} row {number}: {name} must have start_s and end_s in seconds and a phone "
                f"without blanks, got {start!r}, {end!r}, {phone!r}"
            )
        found.setdefault(name, []).append(times)
    return {
        name: _in_time_order(path, name, phones, durations[name]) for name, phones in found.items()
    }


def _in_time_order(
    path: Path, utterance_id: str, phones: Sequence[Phone], duration_s: float
) -> tuple[Phone, ...]:
    ordered = tuple(sorted(phones, key=lambda phone: phone.start_s))
    try:
        check_alignment(utterance_id, ordered, duration_s or math.inf, DURATION_TOLERANCE_S)
    except CorpusError as error:
        raise CorpusError(f"{path}: {error}") from error
    return ordered


def read_canonical(path: Path, utterances: Iterable[Utterance]) -> dict[str, tuple[str, ...]]:
    """Read canonical_phones.txt, which then speaks for every utterance; {} without the file.

    Two sources of one corpus's transcripts would be two kinds of truth: what a dictionary says
    and what an annotator heard. Utterances without a line are counted in a warning and get ().

    utterance_id HH_B AH0_I L_I OW1_E ...

    in ARPAbet, with or without stress digits and positions in the word (_B, _I, _E, _S). Both
    marks are taken off, so that the phones are the 39 lower-case classes. Empty lines are allowed.

    Raises:
        CorpusError: the file is no text, or a line has an unknown or repeated utterance, no
            phone, or a symbol that is not ARPAbet.
    """
    if not path.exists():
        return {}
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
    return {name: found.get(name, ()) for name in known}


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
