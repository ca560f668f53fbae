"""A Kaldi data folder: recordings and speakers in lists of two columns.

wav.scp       recording (the utterance itself without `segments`), audio file
utt2spk       utterance, speaker
text          utterance, what is said                                    optional
spk2gender    speaker, m or f                                            optional
segments      utterance, recording, start and end in seconds; -1: to the end    optional
utt2dur       utterance, seconds                                         optional

The lists lie in the corpus folder, and splits are drawn; or in its folders train, dev and test.
Lines come in any order. A relative path in wav.scp counts from the corpus folder; an absolute
one is allowed, as the list is the user's own. A command in wav.scp is refused, never run.

Format: kaldi-asr.org/doc/data_prep.html, and `extract-segments` for the end of -1.
"""

import logging
import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fhvae.corpus.listing import (
    Listing,
    Source,
    check_is_file,
    check_names,
    check_unique,
    resolve_path,
    to_number,
    to_seconds,
)
from fhvae.corpus.manifest import SPLITS, Utterance, assign_splits, check_splits, read_lines
from fhvae.errors import CorpusError
from fhvae.params.corpus import SplitParams
from fhvae.seeds import generator

GENDERS = {"m": "M", "f": "F"}
TO_THE_END = -1.0  # Kaldi writes it as -1 and as -1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """What a list says of one id.

    Attributes:
        value: the rest of the line.
        place: file and line, for messages.
    """

    value: str
    place: str


@dataclass(frozen=True)
class Listed:
    """An utterance, its recording, and where the lists name it first."""

    utterance: Utterance
    source: Source
    place: str


def kaldi_folders(folder: Path) -> dict[str, Path]:
    """Find Kaldi data folders: by split, or one under "" whose splits are to be drawn."""
    if (folder / "wav.scp").exists():
        return {"": folder}
    return {split: folder / split for split in SPLITS if (folder / split / "wav.scp").exists()}


def read_kaldi(folder: Path, params: SplitParams) -> Listing:
    """Read and check the lists in a corpus folder, or in its folders train, dev and test.

    Raises:
        CorpusError: a list is not what docs/corpora.md asks for, or names no file.
        TrialError: a split has fewer than two speakers.
    """
    listed = [
        item
        for split, where in kaldi_folders(folder).items()
        for item in _read_lists(where, folder, split)
    ]
    utterances = [item.utterance for item in listed]
    check_unique(utterances, [item.place for item in listed])
    random = generator(params.seed, "splits")
    utterances = assign_splits(utterances, params.dev_fraction, params.test_fraction, random)
    check_splits(utterances, str(folder))
    return Listing(
        where=str(folder),
        utterances=tuple(utterances),
        sources={item.utterance.utterance_id: item.source for item in listed},
    )


def _read_lists(where: Path, root: Path, split: str) -> list[Listed]:
    """Read the lists of one data folder."""
    spoken = recordings = _read_entries(where / "wav.scp")
    sources = {name: Source(_audio_file(root, name, one)) for name, one in recordings.items()}
    if (where / "segments").exists():
        spoken = _read_entries(where / "segments")
        sources = {name: _part(name, one, sources) for name, one in spoken.items()}
        _warn_unused(where, recordings, spoken)
    speakers = _read_speakers(where / "utt2spk", spoken)
    genders = _read_genders(where / "spk2gender", speakers.values())
    texts = _read_optional(where / "text", spoken)
    durations = _read_optional(where / "utt2dur", spoken)
    listed = []
    for name, entry in spoken.items():
        utterance = Utterance(
            utterance_id=name,
            path=_path_column(sources[name].file, root),
            speaker=speakers[name],
            gender=genders.get(speakers[name], ""),
            text=texts[name].value if name in texts else "",
            split=split,
            duration_s=_duration_s(name, sources[name], durations),
        )
        listed.append(Listed(utterance, sources[name], entry.place))
    return listed


def _read_entries(path: Path) -> dict[str, Entry]:
    """Read a list: an id, then the rest of the line, which only `text` may leave empty."""
    found: dict[str, Entry] = {}
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        name, *rest = line.split(maxsplit=1)
        entry = Entry(rest[0].strip() if rest else "", f"{path} line {number}")
        if not entry.value and path.name != "text":
            raise CorpusError(f"{entry.place}: must hold an id and what belongs to it, got {name}")
        if name in found:
            first = found[name].place.removeprefix(f"{path} ")
            raise CorpusError(f"{entry.place}: {name} must have one line, it is also in {first}")
        found[name] = entry
    return found


def _read_optional(path: Path, utterances: Mapping[str, Entry]) -> dict[str, Entry]:
    """Read a list of utterances that may be missing."""
    found = _read_entries(path) if path.exists() else {}
    _check_known(found, utterances, "utterance")
    return found


def _check_known(entries: Mapping[str, Entry], known: Container[str], noun: str) -> None:
    """Refuse a list that speaks of what there is not."""
    unknown = [name for name in entries if name not in known]
    if unknown:
        raise CorpusError(
            f"{entries[unknown[0]].place}: {noun} must be one of the folder, got {unknown[0]!r} "
            f"({len(unknown)} unknown in all)"
        )


def _audio_file(root: Path, name: str, entry: Entry) -> Path:
    """Check what wav.scp says of a recording; commands are never run."""
    if entry.value.endswith("|"):
        raise CorpusError(
            f"{entry.place}: wav.scp must name files, recording {name} is the command "
            f"{entry.value!r}, which is not run; write its output to a file first and name that"
        )
    named = f"{entry.place}: recording {name}"
    check_is_file(resolve_path(root, entry.value, named), entry.value, named)
    return root / entry.value


def _path_column(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def _part(name: str, entry: Entry, sources: Mapping[str, Source]) -> Source:
    """Read a line of `segments`."""
    recording, *times = entry.value.split()
    if len(times) != 2:
        raise CorpusError(
            f"{entry.place}: segments must hold utterance, recording, start and end, "
            f"got {name} {entry.value}"
        )
    if recording not in sources:
        raise CorpusError(
            f"{entry.place}: recording of {name} must be one of wav.scp, got {recording!r}"
        )
    start_s, end_s = (to_number(text) for text in times)
    open_end = end_s == TO_THE_END
    if not (0 <= start_s < math.inf and (open_end or start_s < end_s < math.inf)):
        raise CorpusError(
            f"{entry.place}: start and end of {name} must be seconds, the end later or -1, "
            f"got {times[0]} and {times[1]}"
        )
    return Source(sources[recording].file, start_s, None if open_end else end_s)


def _warn_unused(where: Path, recordings: Iterable[str], parts: Mapping[str, Entry]) -> None:
    """Count the recordings that no line of `segments` takes a part of."""
    used = {entry.value.split()[0] for entry in parts.values()}
    unused = [name for name in recordings if name not in used]
    if unused:
        log.warning(
            "%s: segments takes no part of %d recordings, the first is %s; they are left out",
            where, len(unused), unused[0],
        )  # fmt: skip


def _read_speakers(path: Path, utterances: Mapping[str, Entry]) -> dict[str, str]:
    """Read utt2spk, which must tell the speaker of every utterance."""
    entries = _read_entries(path)
    _check_known(entries, utterances, "utterance")
    missing = [name for name in utterances if name not in entries]
    if missing:
        raise CorpusError(
            f"{path}: every utterance must have its speaker here, {len(missing)} of "
            f"{len(utterances)} have none, the first is {missing[0]}"
        )
    for name, entry in entries.items():
        check_names(name, entry.value, entry.place)
        if len(entry.value.split()) > 1:
            raise CorpusError(
                f"{entry.place}: speaker of {name} must be a name without blanks, "
                f"got {entry.value!r}"
            )
    return {name: entry.value for name, entry in entries.items()}


def _read_genders(path: Path, speakers: Iterable[str]) -> dict[str, str]:
    """Read spk2gender; {} without the file."""
    entries = _read_entries(path) if path.exists() else {}
    _check_known(entries, set(speakers), "speaker")
    for speaker, entry in entries.items():
        if entry.value.lower() not in GENDERS:
            raise CorpusError(
                f"{entry.place}: gender of speaker {speaker} must be m or f, got {entry.value!r}"
            )
    return {speaker: GENDERS[entry.value.lower()] for speaker, entry in entries.items()}


def _duration_s(name: str, source: Source, durations: Mapping[str, Entry]) -> float:
    """Give the length in seconds that the lists promise; 0 where they do not say."""
    if name in durations:
        entry = durations[name]
        return to_seconds(entry.value, f"{entry.place}: duration of {name}")
    if source.start_s is None or source.end_s is None:
        return 0.0
    return source.end_s - source.start_s
