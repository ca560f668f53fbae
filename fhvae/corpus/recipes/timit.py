"""TIMIT: the disc LDC93S1, or the sample of it that NLTK distributes.

The disc      TRAIN|TEST/DR1..DR8/FCJF0/SI1027.WAV .PHN .WRD .TXT
The sample    dr1-fvmh0/si1466.wav .phn .wrd .txt

Names may be upper or lower case, and corpus.path may be a folder above. Recordings are NIST
sphere or RIFF, under any name: their content decides. Where a copy holds both
SI1027.WAV and SI1027.WAV.wav, as one in wide use does, the first is read. Labels are lines
`begin end label`, in samples at 16 kHz:

.PHN  phones, 61 symbols, without overlap
.WRD  words; neighbors share samples where they share a phone, so overlaps are no error
.TXT  one line, the sentence

The disc is split as the paper does: all of TRAIN to learn from, and of TEST the 50 development
and the 24 core test speakers of `timit_speakers.csv`; the other 94 are left out. The speakers of
the sample are drawn. SA1 and SA2 are left out everywhere: every speaker reads those two.

Source: core test, "Description of suggested train/test subdivision" of the disc; labels, its
readme.doc, section 5 and "Notes on the Word Alignments"; development speakers,
kaldi-asr/kaldi egs/timit/s5/conf/dev_spk.list, the list of the authors' code too.
"""

import csv
import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from fhvae.corpus.listing import Listing, Source
from fhvae.corpus.manifest import (
    SAMPLE_RATE_HZ,
    Phone,
    Utterance,
    Word,
    assign_splits,
    check_splits,
    read_lines,
)
from fhvae.corpus.phone_classes import timit_table
from fhvae.errors import CorpusError
from fhvae.params.corpus import CorpusParams
from fhvae.seeds import generator

SPEAKERS = {"train": 462, "dev": 50, "test": 24}  # of the standard split
SENTENCES = 8  # of each speaker, SA1 and SA2 left out
MOST_NAMES = 5  # in a message
LEVELS = 3  # folders between corpus.path and TRAIN, such as LDC93S1/timit/TIMIT
DRAWN, UNUSED = "", "unused"  # instead of a split
PART = re.compile("train|test", re.IGNORECASE)
DIALECT = re.compile("dr[1-8]", re.IGNORECASE)
SPEAKER = re.compile("[fm][a-z]{3}[0-9]", re.IGNORECASE)
SAMPLE_SPEAKER = re.compile(f"{DIALECT.pattern}-{SPEAKER.pattern}", re.IGNORECASE)
VISIBLE = re.compile("[^.].*")
SENTENCE_FILE = re.compile(r"(s[aix][0-9]+)\.(wav|wav\.wav|phn|wrd|txt)", re.IGNORECASE)
LABEL = re.compile(r"\s*([0-9]{1,12})\s+([0-9]{1,12})\s+(\S+)\s*")  # a year of samples, and more
TEXT = re.compile(r"\s*[0-9]+\s+[0-9]+\s+(\S.*)")

log = logging.getLogger(__name__)


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


def read_timit(params: CorpusParams) -> Listing:
    """Read names, labels and splits of the TIMIT in `corpus.path`; no audio is opened.

    Raises:
        CorpusError: it is not TIMIT, is not whole, or a label file is malformed.
        TrialError: a split of the sample has fewer than two speakers.
    """
    if params.path is None:
        raise ValueError("corpus.path is needed")
    folder = Path(params.path)
    sentences = _used_sentences(folder)
    texts = _label_files(sentences, "txt")
    utterances = assign_splits(
        [_utterance(folder, item, texts) for item in sentences],
        params.dev_fraction,
        params.test_fraction,
        generator(params.seed, "splits"),
    )
    check_splits(utterances, str(folder))
    return Listing(
        where=str(folder),
        utterances=tuple(utterances),
        sources={item.utterance_id: Source(item.recording) for item in sentences},
        phones={name: read_phones(path) for name, path in _label_files(sentences, "phn").items()},
        words={name: read_words(path) for name, path in _label_files(sentences, "wrd").items()},
    )


def _used_sentences(folder: Path) -> list[Sentence]:
    """Find all sentences that are used, and check that a disc is whole."""
    speakers = find_speakers(folder)
    on_disc = speakers[0].split != DRAWN
    if on_disc:
        _check_speakers(folder, speakers)
    used = [speaker for speaker in speakers if speaker.split != UNUSED]
    sentences = [sentence for speaker in used for sentence in find_sentences(speaker)]
    if on_disc:
        _check_sentences(folder, sentences)
    return sentences


def _check_speakers(folder: Path, speakers: Iterable[Speaker]) -> None:
    """Check that all whom the paper's splits need are there."""
    splits = {speaker.name: speaker.split for speaker in speakers}
    found = Counter(splits.values())
    if all(found[split] == count for split, count in SPEAKERS.items()):
        return
    absent = [name for name, split in listed_speakers().items() if splits.get(name) != split]
    named = f"; not in TEST: {_first_names(absent)}" if absent else ""
    raise CorpusError(
        f"{folder}: TIMIT must have {SPEAKERS['train']} speakers in TRAIN, and in TEST "
        f"{SPEAKERS['dev']} of the development list and {SPEAKERS['test']} of the core test, "
        f"found {found['train']}, {found['dev']} and {found['test']}{named}; copy the disc again"
    )


def _check_sentences(folder: Path, sentences: Iterable[Sentence]) -> None:
    """Check that each of these speakers reads all sentences."""
    counts = Counter(item.speaker.name for item in sentences)
    other = [f"{name} has {count}" for name, count in counts.items() if count != SENTENCES]
    if other:
        raise CorpusError(
            f"{folder}: a speaker of TIMIT must have {SENTENCES} sentences besides SA1 and SA2, "
            f"not so {len(other)} of {len(counts)}: {_first_names(other)}; copy the disc again"
        )


def _label_files(sentences: Sequence[Sentence], kind: str) -> dict[str, Path]:
    """Give the label files of a kind by utterance id; what is missing is counted."""
    found = {item.utterance_id: item.labels[kind] for item in sentences if kind in item.labels}
    absent = [item.utterance_id for item in sentences if kind not in item.labels]
    if absent:
        log.warning(
            "%d of %d utterances have no .%s beside them, the first is %s",
            len(absent), len(sentences), kind, absent[0],
        )  # fmt: skip
    return found


def _utterance(folder: Path, sentence: Sentence, texts: Mapping[str, Path]) -> Utterance:
    """Say what the names and the text file say; how long it lasts the recording will tell."""
    speaker, name = sentence.speaker, sentence.utterance_id
    return Utterance(
        utterance_id=name,
        path=sentence.recording.relative_to(folder).as_posix(),
        speaker=speaker.name,
        gender=speaker.name[0].upper(),
        text=read_text(texts[name]) if name in texts else "",
        split=speaker.split,
        duration_s=0.0,
        dialect=speaker.dialect,
    )


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
        f"found {_first_names(seen) or 'nothing'}"
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


def _first_names(names: Sequence[str]) -> str:
    """List the first names, for a message."""
    return ", ".join([*names[:MOST_NAMES], *(["..."] if len(names) > MOST_NAMES else [])])


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
    found = TEXT.fullmatch(lines[0]) if len(lines) == 1 else None
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
