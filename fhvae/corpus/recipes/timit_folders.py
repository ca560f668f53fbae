"""Where TIMIT lies: the speakers' folders and the files in them, by whatever case of letters.

`fhvae.corpus.recipes.timit` says what the layouts are.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from fhvae.errors import CorpusError

MOST_NAMES = 5  # in a message
LEVELS = 3  # folders between corpus.path and TRAIN, such as LDC93S1/timit/TIMIT
DRAWN, UNUSED = "", "unused"  # instead of a split
PART = re.compile("train|test", re.IGNORECASE)
DIALECT = re.compile("dr[1-8]", re.IGNORECASE)
SPEAKER = re.compile("[fm][a-z]{3}[0-9]", re.IGNORECASE)
SAMPLE_SPEAKER = re.compile(f"{DIALECT.pattern}-{SPEAKER.pattern}", re.IGNORECASE)
VISIBLE = re.compile("[^.].*")
SENTENCE_FILE = re.compile(r"(s[aix][0-9]+)\.(wav|wav\.wav|phn|wrd|txt)", re.IGNORECASE)


@dataclass(frozen=True)
class Speaker:
    """A speaker's folder.

    Attributes:
        name: lower case, such as fcjf0; the first letter is the sex.
        dialect: dr1 to dr8.
        split: of the paper, UNUSED, or DRAWN for the sample.
    """

    folder: Path
    name: str
    dialect: str
    split: str


@dataclass(frozen=True)
class Sentence:
    """A recording and what lies beside it.

    Attributes:
        name: lower case, such as si1027.
        labels: file by kind: phn, wrd, txt; a kind that is not there is absent.
    """

    speaker: Speaker
    name: str
    recording: Path
    labels: Mapping[str, Path]

    @property
    def utterance_id(self) -> str:
        """Name the recording in the whole corpus, such as fcjf0_si1027."""
        return f"{self.speaker.name}_{self.name}"


def find_speakers(folder: Path) -> list[Speaker]:
    """Look for TIMIT in a folder, then in those inside it, level by level."""
    if not folder.is_dir():
        raise CorpusError(f"corpus.path must name a folder, {folder} is none")
    level = [folder]
    for _ in range(LEVELS + 1):
        found = {place: speakers for place in level if (speakers := _speakers_in(place))}
        if len(found) > 1:
            first, second, *_ = found
            raise CorpusError(
                f"{folder} must hold one TIMIT, {len(found)} are there, in {first} and {second}; "
                "let corpus.path name one of them"
            )
        for speakers in found.values():
            return _without_doubles(speakers)
        level = [inner for place in level for inner in _folders(place, VISIBLE)]
    seen = [path.name for path in _inside(folder)]
    raise CorpusError(
        f"{folder} must hold TIMIT, at most {LEVELS} folders down: TRAIN and TEST with DR1 to DR8 "
        "(LDC93S1), or dr1-fvmh0 and the like (the sample of NLTK); "
        f"found {first_names(seen) or 'nothing'}"
    )


def _inside(where: Path) -> list[Path]:
    """List a folder; upper case comes first."""
    try:
        return sorted(where.iterdir())
    except OSError as error:
        raise CorpusError(f"{where} must be a readable folder: {error.strerror}") from error


def _folders(where: Path, pattern: re.Pattern[str]) -> list[Path]:
    """Give the folders whose whole name fits."""
    return [path for path in _inside(where) if pattern.fullmatch(path.name) and path.is_dir()]


def _speakers_in(where: Path) -> list[Speaker]:
    """Give the speakers of a disc or of a sample whose top is this folder; none elsewhere."""
    on_disc = [
        Speaker(folder, folder.name.lower(), dialect.name.lower(), _split(part, folder))
        for part in _folders(where, PART)
        for dialect in _folders(part, DIALECT)
        for folder in _folders(dialect, SPEAKER)
    ]
    if on_disc:
        return on_disc
    return [
        Speaker(folder, folder.name[4:].lower(), folder.name[:3].lower(), DRAWN)
        for folder in _folders(where, SAMPLE_SPEAKER)
    ]


def _split(part: Path, speaker: Path) -> str:
    if part.name.lower() == "train":
        return "train"
    return listed_speakers().get(speaker.name.lower(), UNUSED)


def _without_doubles(speakers: list[Speaker]) -> list[Speaker]:
    """Refuse two folders of one speaker."""
    first: dict[str, Speaker] = {}
    for speaker in speakers:
        known = first.setdefault(speaker.name, speaker)
        if known is not speaker:
            raise CorpusError(
                f"speaker {speaker.name} must have one folder, got {known.folder} "
                f"and {speaker.folder}"
            )
    return speakers


def find_sentences(speaker: Speaker) -> list[Sentence]:
    """Give the sentences of a speaker other than SA1 and SA2."""
    found: dict[str, dict[str, Path]] = {}
    for path in _inside(speaker.folder):
        match = SENTENCE_FILE.fullmatch(path.name)
        if match and not path.name.lower().startswith("sa"):
            name, kind = match.group(1).lower(), match.group(2).lower()
            found.setdefault(name, {}).setdefault(kind, path)
    if not found:
        raise CorpusError(
            f"{speaker.folder} must hold recordings named like si1027.wav, none is there"
        )
    return [_sentence(speaker, name, kinds) for name, kinds in sorted(found.items())]


def _sentence(speaker: Speaker, name: str, kinds: dict[str, Path]) -> Sentence:
    """Choose the recording: SI1027.WAV, or else SI1027.WAV.wav."""
    recordings = [kinds.pop(kind) for kind in ("wav", "wav.wav") if kind in kinds]
    if not recordings:
        beside = next(iter(kinds.values()))
        raise CorpusError(f"{beside}: a recording {name}.wav must lie beside it, none is there")
    return Sentence(speaker, name, recordings[0], kinds)


@cache
def listed_speakers() -> dict[str, str]:
    """Read the published lists of TEST speakers: name -> dev or test."""
    text = files(__package__).joinpath("timit_speakers.csv").read_text(encoding="utf-8")
    return {row["speaker"]: row["split"] for row in csv.DictReader(text.splitlines())}


def first_names(names: Sequence[str]) -> str:
    """List the first names, for a message."""
    return ", ".join([*names[:MOST_NAMES], *(["..."] if len(names) > MOST_NAMES else [])])
