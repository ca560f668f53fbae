"""A corpus of your own: a folder with manifest.csv, audio files and, if known, phones.

The columns and everything that is refused: docs/corpora.md. Tables are checked in full
before the first file is decoded, so that a slip costs seconds.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fhvae.corpus.decoding import DURATION_TOLERANCE_S
from fhvae.corpus.listing import Listing, Source
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
    read_table,
)
from fhvae.corpus.transcripts import read_canonical
from fhvae.errors import CorpusError
from fhvae.params import CorpusParams
from fhvae.seeds import generator

GENDERS = ("M", "F", "")
SYMBOL = re.compile(r"\S+")
UTTERANCE_ID = re.compile(r"[^\s/\\.][^\s/\\]*")  # also serves as a file name


def read_folder(params: CorpusParams, seed: int) -> Listing:
    """Read the tables of the corpus in `corpus.path`.

    Raises:
        CorpusError: a table or a file is not what docs/corpora.md asks for.
        TrialError: a split has fewer than two speakers.
    """
    if params.path is None:
        raise ValueError("corpus.path is needed")
    folder = Path(params.path)
    utterances = read_manifest(folder, params, seed)
    return Listing(
        where=str(folder / "manifest.csv"),
        utterances=tuple(utterances),
        sources={item.utterance_id: Source(folder / item.path) for item in utterances},
        phones=read_phones(folder / "phones.csv", utterances),
        transcripts=_given_transcripts(folder / "canonical_phones.txt", utterances),
    )


def _given_transcripts(path: Path, utterances: Sequence[Utterance]) -> dict[str, tuple[str, ...]]:
    """Read canonical_phones.txt, which then speaks for every utterance; {} without the file.

    Two sources of one corpus's transcripts would be two kinds of truth: what a dictionary
    says and what somebody heard.
    """
    if not path.exists():
        return {}
    found = read_canonical(path, utterances)
    return {item.utterance_id: found.get(item.utterance_id, ()) for item in utterances}


def read_manifest(folder: Path, params: CorpusParams, seed: int) -> list[Utterance]:
    """Read and check manifest.csv; fill the empty splits by speaker."""
    path = folder / "manifest.csv"
    rows = read_table(path, COLUMNS, OPTIONAL_COLUMNS).to_dict("records")
    places = [f"{path} row {number}" for number in range(2, len(rows) + 2)]  # row 1: the header
    utterances = [_utterance(row, place) for row, place in zip(rows, places, strict=True)]
    _check_unique(utterances, places)
    _check_genders(utterances, places)
    root = folder.resolve()
    for utterance, place in zip(utterances, places, strict=True):
        _check_file(root, utterance, place)
    random = generator(seed, "splits")
    utterances = assign_splits(utterances, params.dev_fraction, params.test_fraction, random)
    check_splits(utterances, str(path))
    return utterances


def _utterance(row: Mapping[str, str], place: str) -> Utterance:
    """Check the cells of one row of manifest.csv."""
    name, speaker = row["utterance_id"], row["speaker"]
    if not UTTERANCE_ID.fullmatch(name):
        raise CorpusError(
            f"{place}: utterance_id must be a name without blanks and slashes, "
            f"not starting with a point, got {name!r}"
        )
    if not speaker or speaker != speaker.strip():
        raise CorpusError(
            f"{place}: speaker of {name} must be a name without blanks around it, got {speaker!r}"
        )
    if row["gender"] not in GENDERS:
        raise CorpusError(f"{place}: gender of {name} must be M, F or empty, got {row['gender']!r}")
    if row["split"] not in (*SPLITS, ""):
        raise CorpusError(
            f"{place}: split of {name} must be train, dev, test or empty, got {row['split']!r}"
        )
    duration_s = _number(row["duration_s"])
    if not 0 < duration_s < math.inf:
        raise CorpusError(
            f"{place}: duration_s of {name} must be seconds above 0, got {row['duration_s']!r}"
        )
    columns = (*COLUMNS, *OPTIONAL_COLUMNS)
    texts = {column: row[column] for column in columns if column != "duration_s"}
    return Utterance(**texts, duration_s=duration_s)


def _number(text: str) -> float:
    """Read a cell as a number; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _check_unique(utterances: Sequence[Utterance], places: Sequence[str]) -> None:
    first: dict[str, str] = {}
    for utterance, place in zip(utterances, places, strict=True):
        name = utterance.utterance_id
        if name in first:
            raise CorpusError(
                f"{place}: utterance_id must be unique, {name} is also in "
                f"row {first[name].rsplit(' ', 1)[1]}"
            )
        first[name] = place


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


def _check_file(root: Path, utterance: Utterance, place: str) -> None:
    """Check that the audio file exists and lies in the corpus folder, links followed."""
    named = f"{place}: path of {utterance.utterance_id}"
    relative = Path(utterance.path)
    if not utterance.path or relative.is_absolute():
        raise CorpusError(f"{named} must be relative to the manifest, got {utterance.path!r}")
    try:
        target = (root / relative).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL character
        raise CorpusError(f"{named} must name a file, got {utterance.path!r} ({error})") from error
    if not target.is_relative_to(root):
        raise CorpusError(
            f"{named} must stay inside the corpus folder, {utterance.path!r} leads outside"
        )
    if not target.is_file():
        raise CorpusError(f"{named} must name a file, {utterance.path!r} is not there")


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
    table = read_table(path, PHONE_COLUMNS)
    columns = [table[column] for column in PHONE_COLUMNS]
    for number, (name, start, end, phone) in enumerate(zip(*columns, strict=True), start=2):
        if name not in durations:
            if not known_only:
                continue
            raise CorpusError(
                f"{path} row {number}: utterance_id must be one of the manifest, got {name!r}"
            )
        times = Phone(_number(start), _number(end), phone)
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
        check_alignment(utterance_id, ordered, (duration_s or math.inf) + DURATION_TOLERANCE_S)
    except CorpusError as error:
        raise CorpusError(f"{path}: {error}") from error
    return ordered
