"""speechocean762: English sentences read by speakers of Mandarin, many of them children.

Zhang et al., Interspeech 2021 (openslr.org/101). 250 speakers, 20 sentences each, 16 kHz, in
one session per speaker.

speechocean762/WAVE/SPEAKER0001/000010011.WAV
speechocean762/{train,test}/wav.scp utt2spk text spk2gender spk2age     id, blank or tab, value
speechocean762/resource/text-phone     000010011.0 W_B IY0_E     phones of word 0

The published train and test are kept, and dev is drawn from the speakers of train; or the speakers
and the split are those of `speechocean762_speakers.csv` (`adults108`: the runs of docs/results.md).
Phones are those of a dictionary, without times.
"""

import csv
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from fhvae.corpus.listing import Listing, Source, check_inside
from fhvae.corpus.manifest import Utterance, check_splits, move_speakers, read_lines
from fhvae.corpus.recipes.folder import unmarked
from fhvae.corpus.recipes.published import Archive, home, incomplete, obtain, openslr
from fhvae.errors import CorpusError
from fhvae.fetch.remote import RemoteFile
from fhvae.params.corpus import CorpusParams
from fhvae.seeds import generator

AGE = re.compile("[0-9]{1,3}")
WORD_NUMBER = re.compile("[0-9]{1,6}")
ADULT_AGE = 18  # years; nobody is 16, 17 or 18
HALVES = {"train": 2_500, "test": 2_500}  # utterances of each, as published
GENDERS = {"m": "M", "f": "F"}
FILE = "speechocean762.tar.gz"
ARCHIVE = Archive(
    # No publisher and no recipe gives a checksum. Size: kaldi, egs/gop_speechocean762/s5/local/
    # download_and_untar.sh.
    RemoteFile(FILE, openslr(101, FILE), size=520_810_923),
    "WAVE/*/*.WAV",
)

log = logging.getLogger(__name__)


def read_speechocean762(params: CorpusParams) -> Listing:
    """Bring the archive and list what it holds.

    Raises:
        DownloadError, CorpusError: it cannot be had, or its layout is not the published one.
        TrialError: a split has fewer than two speakers.
    """
    return list_utterances(obtain(ARCHIVE, home(params)), params)


def list_utterances(top: Path, params: CorpusParams) -> Listing:
    """List the utterances of all splits.

    Args:
        top: the folder that holds WAVE, train, test and resource.
        params: section `corpus`; `dev_fraction` is that of the published train speakers.
    """
    adults_only, folder = params.speechocean762.adults_only, home(params)
    utterances = [item for half in HALVES for item in _read_half(top, half, adults_only, folder)]
    if params.speechocean762.split == "adults108":
        utterances = _chosen(utterances, listed_speakers(), top)
    else:
        random = generator(params.seed, "splits")
        utterances = move_speakers(utterances, "train", "dev", params.dev_fraction, random)
    check_splits(utterances, str(top))
    return Listing(
        where=str(top),
        utterances=tuple(utterances),
        sources={item.utterance_id: Source(top / item.path) for item in utterances},
        transcripts=read_text_phone(top / "resource/text-phone", utterances),
    )


def listed_speakers() -> dict[str, str]:
    """Read the 108 adults: speaker -> split."""
    text = files(__package__).joinpath("speechocean762_speakers.csv").read_text(encoding="utf-8")
    return {row["speaker"]: row["split"] for row in csv.DictReader(text.splitlines())}


def _chosen(
    utterances: Sequence[Utterance], splits: Mapping[str, str], top: Path
) -> list[Utterance]:
    """Keep the utterances of listed speakers, in the splits listed.

    Raises:
        CorpusError: one of them has none.
    """
    if missing := sorted(set(splits) - {item.speaker for item in utterances}):
        raise CorpusError(
            f"{top} must hold every speaker of adults108, {missing[0]} is missing; "
            "take corpus.speechocean762.split=published"
        )
    chosen = [item for item in utterances if item.speaker in splits]
    return [replace(item, split=splits[item.speaker]) for item in chosen]


def _read_half(top: Path, half: str, adults_only: bool, folder: Path) -> Iterator[Utterance]:
    """Read the tables of the published train or test; the corpus was sought below a folder."""
    tables = {
        name: read_pairs(top / half / name)
        for name in ("wav.scp", "utt2spk", "text", "spk2gender", "spk2age")
    }

    listed = len(tables["wav.scp"])
    if listed != HALVES[half]:
        what = f"utterances of {half}"
        raise incomplete(ARCHIVE, folder, top, what, HALVES[half], listed)

    def cell(name: str, key: str) -> str:
        if key not in tables[name]:
            raise CorpusError(f"{top / half / name} must have a line for {key}, it has none")
        return tables[name][key]

    for name in sorted(tables["wav.scp"]):
        speaker = cell("utt2spk", name)
        if adults_only and _age(cell("spk2age", speaker), top / half, speaker) < ADULT_AGE:
            continue
        gender = GENDERS.get(cell("spk2gender", speaker).lower())
        if gender is None:
            raise CorpusError(
                f"{top / half / 'spk2gender'}: gender of {speaker} must be m or f, "
                f"got {cell('spk2gender', speaker)!r}"
            )
        path, text = cell("wav.scp", name), cell("text", name)
        check_inside(top.resolve(), path, f"{top / half / 'wav.scp'}: path of {name}")
        yield Utterance(name, path, speaker, gender, text, half, 0.0)


def _age(text: str, folder: Path, speaker: str) -> int:
    if not AGE.fullmatch(text):
        raise CorpusError(
            f"{folder / 'spk2age'}: age of {speaker} must be whole years, got {text!r}"
        )
    return int(text)


def read_pairs(path: Path) -> dict[str, str]:
    """Read a table of two columns, the first without blanks.

    Raises:
        CorpusError: the file is missing, a line has one column, or a key is there twice.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        key, *rest = line.split(maxsplit=1)
        if not rest or key in found:
            problem = "is there twice" if key in found else "has no value"
            raise CorpusError(
                f"{path} line {number}: must hold a new key and a value, {key} {problem}"
            )
        found[key] = rest[0].strip()
    return found


def read_text_phone(path: Path, utterances: Sequence[Utterance]) -> dict[str, tuple[str, ...]]:
    """Join the phones of an utterance's words in order; utterances without any are counted.

    Raises:
        CorpusError: the file is missing, a key is no utterance and number of a word, or a symbol
            is not ARPAbet.
    """
    words: dict[str, dict[int, tuple[str, ...]]] = {item.utterance_id: {} for item in utterances}
    for key, phones in read_pairs(path).items():
        name, _, number = key.rpartition(".")
        if not name or not WORD_NUMBER.fullmatch(number):
            raise CorpusError(f"{path}: must name <utterance>.<number of the word>, got {key!r}")
        if name in words:
            place = f"{path} at {key}"
            words[name][int(number)] = tuple(unmarked(symbol, place) for symbol in phones.split())
    missing = [name for name, found in words.items() if not found]
    if missing:
        log.warning(
            "%s has no word of %d of %d utterances, the first is %s; they have no transcript",
            path, len(missing), len(words), missing[0],
        )  # fmt: skip
    return {name: tuple(_in_order(found.items())) for name, found in words.items()}


def _in_order(words: Iterable[tuple[int, tuple[str, ...]]]) -> Iterator[str]:
    for _, phones in sorted(words):
        yield from phones
