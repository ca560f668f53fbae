"""The local copy of a corpus: what `download` leaves, and `conditions` for every later stage.

manifest.csv          one row per utterance
phones.csv, words.csv alignments; only the header where the corpus has none
quarantine.csv        utterances that were left out, and why (`corpus.bad_audio`)
transcripts.csv       phones without times, one row per utterance that has them
<split>.npy .csv      16 kHz int16 samples, packed
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from fhvae.corpus.manifest import (
    ALL_SPLITS,
    LOCAL_COLUMNS,
    PHONE_COLUMNS,
    SAMPLE_RATE_HZ,
    SPLITS,
    WORD_COLUMNS,
    Phone,
    Recording,
    Refused,
    Utterance,
    Word,
    check_alignment,
    check_splits,
    in_split,
    phone_table,
    utterance_table,
    word_table,
)
from fhvae.errors import ArtifactError
from fhvae.files.atomic import new_folder, write_csv
from fhvae.files.columns import ANY_TEXT, NAME, SECONDS, Column, typed_rows
from fhvae.files.packed import SAMPLES, Packed, PackedWriter, read_packed

QUARANTINE_COLUMNS = ("utterance_id", "split", "path", "reason")
TRANSCRIPT_COLUMNS = ("utterance_id", "phones")
STAGE = "conditions"  # for messages: it leaves the copy that every later stage reads
DURATION_DECIMALS = 6  # of seconds in manifest.csv
MANIFEST = {
    **dict.fromkeys(LOCAL_COLUMNS, ANY_TEXT),
    "utterance_id": NAME,
    "speaker": NAME,
    "gender": Column(among=("M", "F", ""), empty=True),
    "split": Column(among=ALL_SPLITS),
    "duration_s": SECONDS,
}
PHONES = dict(zip(PHONE_COLUMNS, (NAME, SECONDS, SECONDS, NAME), strict=True))
WORDS = dict(zip(WORD_COLUMNS, (NAME, SECONDS, SECONDS, NAME), strict=True))
TRANSCRIPTS = dict.fromkeys(TRANSCRIPT_COLUMNS, NAME)
QUARANTINE = dict.fromkeys(QUARANTINE_COLUMNS, ANY_TEXT)

Timed = TypeVar("Timed", Phone, Word)


class Speakers(dict[str, str]):
    """Speaker of each utterance, by utterance id; one that is unknown is an error."""

    @classmethod
    def of(cls, utterances: Iterable[Utterance]) -> "Speakers":
        """Note who speaks these utterances."""
        return cls((one.utterance_id, one.speaker) for one in utterances)

    def __missing__(self, utterance_id: str) -> str:
        """Raise ArtifactError: nobody speaks this utterance."""
        raise ArtifactError(
            f"utterance {utterance_id} must be one of the {len(self)} of the corpus and is not; "
            "rerun the stages download and fbank"
        )


@dataclass(frozen=True)
class Corpus:
    """A local corpus: all utterances, all known alignments, samples by split.

    Alignments and transcripts are read when first asked for: a stage that does without pays
    nothing for them and does not depend on their files.
    """

    folder: Path
    utterances: tuple[Utterance, ...]

    def split(self, name: str) -> list[Utterance]:
        """Take the utterances of one split, sorted by utterance id."""
        return in_split(self.utterances, name)

    @cached_property
    def speaker_of(self) -> Speakers:
        """Speaker by utterance id, of all splits; an id that is unknown raises ArtifactError."""
        return Speakers.of(self.utterances)

    @property
    def splits(self) -> list[str]:
        """Name the splits that have utterances."""
        found = {utterance.split for utterance in self.utterances}
        return [name for name in ALL_SPLITS if name in found]

    @cached_property
    def transcripts(self) -> dict[str, tuple[str, ...]]:
        """Phones of each utterance in order, without times; only of those where they are known.

        Raises:
            ArtifactError: the local corpus holds no transcripts.csv.
        """
        path = self.folder / "transcripts.csv"
        found: dict[str, tuple[str, ...]] = {}
        for utterance_id, phones in typed_rows(path, TRANSCRIPTS, STAGE):
            names = tuple(map(sys.intern, phones.split(" ")))
            if utterance_id in found or utterance_id not in self._duration_s or "" in names:
                raise ArtifactError(
                    f"{path} must hold phones once for utterances of the manifest, joined by "
                    f"single blanks, {utterance_id} is otherwise; rerun the stage {STAGE}"
                )
            found[utterance_id] = names
        return found

    @cached_property
    def phones(self) -> dict[str, tuple[Phone, ...]]:
        """Phones with times of each utterance; only of those where they are known.

        Raises:
            ArtifactError: the file is missing or broken.
            CorpusError: phones run backward, or beyond the recording.
        """
        found = self._by_utterance(self.folder / "phones.csv", PHONES, Phone)
        for utterance_id, phones in found.items():
            check_alignment(utterance_id, phones, self._duration_s[utterance_id])
        return found

    @cached_property
    def words(self) -> dict[str, tuple[Word, ...]]:
        """Words with times of each utterance; only of those where they are known."""
        return self._by_utterance(self.folder / "words.csv", WORDS, Word)

    @cached_property
    def left_out(self) -> tuple[Refused, ...]:
        """What was quarantined, and why."""
        rows = typed_rows(self.folder / "quarantine.csv", QUARANTINE, STAGE)
        return tuple(
            Refused(Utterance(name, path, "", "", "", split, 0.0), reason)
            for name, split, path, reason in rows
        )

    @cached_property
    def quarantined(self) -> Counter[str]:
        """Count, per split, the utterances that were left out."""
        return Counter(item.utterance.split for item in self.left_out)

    def samples(self, split: str) -> Packed:
        """Memory-map the samples of a split, `[sample]` int16 at 16 kHz.

        Raises:
            ArtifactError: they are missing, broken, or not those of the manifest.
        """
        packed = read_packed(self.folder / split, SAMPLES)
        known = {one.utterance_id for one in self.utterances if one.split == split}
        if strange := sorted(known ^ set(packed.utterance_ids)):
            place = "manifest.csv" if strange[0] in known else f"{split}.csv"
            raise ArtifactError(
                f"{self.folder}: manifest.csv and {split}.csv must hold the same utterances of "
                f"{split}, {strange[0]} is in {place} only; rerun the stage {STAGE}"
            )
        for utterance_id, length in zip(packed.utterance_ids, packed.lengths.tolist(), strict=True):
            if _seconds(length) != self._duration_s[utterance_id]:
                raise ArtifactError(
                    f"{self.folder}: utterance {utterance_id} must last "
                    f"{self._duration_s[utterance_id]:g} s, as manifest.csv says, its samples "
                    f"last {_seconds(length):g} s; rerun the stage {STAGE}"
                )
        return packed

    @cached_property
    def _duration_s(self) -> dict[str, float]:
        return {one.utterance_id: one.duration_s for one in self.utterances}

    def _by_utterance(
        self,
        path: Path,
        columns: Mapping[str, Column],
        kind: Callable[[float, float, str], Timed],
    ) -> dict[str, tuple[Timed, ...]]:
        """Read an alignment row by row; a name that comes often is kept in memory once."""
        found: dict[str, list[Timed]] = defaultdict(list)
        for utterance_id, start_s, end_s, name in typed_rows(path, columns, STAGE):
            if utterance_id not in self._duration_s:
                raise ArtifactError(
                    f"{path} must be of utterances of the manifest, {utterance_id} is none; "
                    f"rerun the stage {STAGE}"
                )
            found[utterance_id].append(kind(start_s, end_s, sys.intern(name)))
        return {utterance_id: tuple(items) for utterance_id, items in found.items()}


def _seconds(samples: int) -> float:
    return round(samples / SAMPLE_RATE_HZ, DURATION_DECIMALS)


def write_corpus(
    folder: Path, recordings: Iterable[Recording | Refused], needed: Sequence[str] = SPLITS
) -> list[Utterance]:
    """Write recordings, which may come in any order of splits, as a local corpus.

    `needed` names the splits that there must be.

    Streaming: memory is that of one recording. Nothing is left behind if it fails.
    """
    utterances: list[Utterance] = []
    refused: list[Refused] = []
    alignments: list[tuple[str, tuple[Phone, ...]]] = []
    words: list[tuple[str, tuple[Word, ...]]] = []
    transcripts: dict[str, tuple[str, ...]] = {}
    with new_folder(folder) as partial:
        with ExitStack() as stack:
            writers: dict[str, PackedWriter] = {}
            for recording in recordings:
                if isinstance(recording, Refused):
                    refused.append(recording)
                    continue
                split = recording.utterance.split
                if split not in writers:
                    writers[split] = stack.enter_context(PackedWriter(partial / split, "int16"))
                samples = recording.samples
                duration_s = _seconds(len(samples))
                utterance = replace(recording.utterance, duration_s=duration_s)
                check_alignment(utterance.utterance_id, recording.phones, duration_s)
                writers[split].append(utterance.utterance_id, samples)
                utterances.append(utterance)
                if recording.phones:
                    alignments.append((utterance.utterance_id, recording.phones))
                if recording.words:
                    words.append((utterance.utterance_id, recording.words))
                if transcript := _transcript(recording):
                    transcripts[utterance.utterance_id] = transcript
            left = f" without the {len(refused)} recordings left out" if refused else ""
            check_splits(utterances, f"corpus{left}", needed)
        write_csv(partial / "manifest.csv", utterance_table(utterances))
        write_csv(partial / "phones.csv", phone_table(alignments))
        write_csv(partial / "words.csv", word_table(words))
        write_csv(partial / "transcripts.csv", transcript_table(transcripts))
        write_csv(partial / "quarantine.csv", quarantine_table(refused))
    return utterances


def quarantine_table(refused: Iterable[Refused]) -> pd.DataFrame:
    """Lay out what was left out as the columns of quarantine.csv."""
    rows = [
        (item.utterance.utterance_id, item.utterance.split, item.utterance.path, item.reason)
        for item in refused
    ]
    return pd.DataFrame(rows, columns=list(QUARANTINE_COLUMNS))


def _transcript(recording: Recording) -> tuple[str, ...]:
    """Give the phones in order; read off the alignment, pauses included, where that is all."""
    if recording.transcript is None:
        return tuple(phone.phone for phone in recording.phones)
    return recording.transcript


def transcript_table(transcripts: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    """Lay transcripts out as the columns of transcripts.csv, phones joined by blanks."""
    rows = [(utterance_id, " ".join(phones)) for utterance_id, phones in transcripts.items()]
    return pd.DataFrame(rows, columns=list(TRANSCRIPT_COLUMNS))


def read_corpus(folder: Path, needed: Sequence[str] = SPLITS) -> Corpus:
    """Read a local corpus written by `write_corpus`, with the splits that it needed.

    Raises:
        ArtifactError: there is none.
    """
    if not (folder / "manifest.csv").exists():
        raise ArtifactError(
            f"{folder} must hold a local corpus; run the stages download and conditions"
        )
    rows = typed_rows(folder / "manifest.csv", MANIFEST, STAGE)
    utterances = tuple(Utterance(**dict(zip(MANIFEST, row, strict=True))) for row in rows)
    check_splits(utterances, str(folder / "manifest.csv"), needed)
    return Corpus(folder, utterances)


def phone_at(phones: tuple[Phone, ...], time_s: float) -> str | None:
    """Find the phone that is spoken at a time; None before the first and after the last."""
    starts = np.array([phone.start_s for phone in phones])
    position = int(np.searchsorted(starts, time_s, side="right")) - 1
    if position < 0 or time_s >= phones[position].end_s:
        return None
    return phones[position].phone
