"""The nouns of a corpus: utterance, alignment, recording; and their checks.

A corpus folder of a user holds `manifest.csv` (utterance_id, path, speaker, gender, text,
split, duration_s) and, where phone times are known, `phones.csv` (utterance_id, start_s,
end_s, phone); where only the phones are, `canonical_phones.txt` (`fhvae.corpus.transcripts`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fhvae.errors import CorpusError, TrialError
from fhvae.files.atomic import regular
from fhvae.files.columns import csv_rows

if TYPE_CHECKING:  # the process that decodes does without: it starts in a fifth of the time
    import pandas as pd

SAMPLE_RATE_HZ = 16_000  # every recording is brought to this rate
SPLITS = ("train", "dev", "test")
# Two more, of the same speakers, which are never trained on and never in a trial:
COMMON = "common"  # sentences that speakers of all three read, for the sentence probe
PARALLEL = "parallel"  # test utterances once more, clean or processed
ALL_SPLITS = (*SPLITS, COMMON, PARALLEL)
COLUMNS = ("utterance_id", "path", "speaker", "gender", "text", "split", "duration_s")
OPTIONAL_COLUMNS = ("session", "dialect")
LOCAL_COLUMNS = (*COLUMNS, "twin", *OPTIONAL_COLUMNS)  # of the local copy
PHONE_COLUMNS = ("utterance_id", "start_s", "end_s", "phone")
WORD_COLUMNS = ("utterance_id", "start_s", "end_s", "word")
END_TOLERANCE_S = 0.025  # labels round up: an end may lie this far behind that of the recording
MIN_SPEAKERS = 2  # a split with one speaker has no non-target trial
MIN_UTTERANCES = 2  # of one speaker of test; else it has no target trial
ADVICE = "see docs/corpora.md for its columns"


@dataclass(frozen=True)
class Utterance:
    """One recording of one speaker; the paper's *sequence*.

    Attributes:
        utterance_id: unique in the corpus.
        path: file relative to the corpus folder; empty for synthetic speech.
        speaker: speaker id.
        gender: "M", "F" or "" where unknown.
        text: what was said, or "".
        split: "train", "dev", "test", "common" or "parallel".
        duration_s: length in seconds.
        twin: for `parallel`, the test utterance that is the same speech under another condition;
            else "".
        session: when and where it was recorded, such as a chapter read in one sitting; "" where
            the corpus does not say.
        dialect: region or accent of the speaker, or "".
    """

    utterance_id: str
    path: str
    speaker: str
    gender: str
    text: str
    split: str
    duration_s: float
    twin: str = ""
    session: str = ""
    dialect: str = ""


@dataclass(frozen=True)
class Phone:
    """One phone of an alignment, in seconds from the start of the utterance."""

    start_s: float
    end_s: float
    phone: str


@dataclass(frozen=True)
class Word:
    """One word of an alignment, in seconds from the start of the utterance."""

    start_s: float
    end_s: float
    word: str


@dataclass(frozen=True)
class Recording:
    """An utterance with its samples and, if known, its phones.

    Attributes:
        samples: `[sample]` int16 at `SAMPLE_RATE_HZ`, one channel.
        phones: in time order, without gap or overlap; empty where unknown.
        transcript: phones without times, in order; empty where unknown, None where they are
            those of `phones`.
        words: with times, in order; empty where unknown.
        file_rate_hz: of the file that they were read from.
    """

    utterance: Utterance
    samples: np.ndarray
    phones: tuple[Phone, ...] = ()
    transcript: tuple[str, ...] | None = None
    words: tuple[Word, ...] = ()
    file_rate_hz: int = SAMPLE_RATE_HZ


@dataclass(frozen=True)
class Refused:
    """An utterance whose recording cannot be used, and the sentence that says why."""

    utterance: Utterance
    reason: str


def in_split(utterances: Iterable[Utterance], split: str) -> list[Utterance]:
    """Take one split, sorted by utterance id."""
    chosen = [utterance for utterance in utterances if utterance.split == split]
    return sorted(chosen, key=lambda utterance: utterance.utterance_id)


def check_splits(
    utterances: Sequence[Utterance], where: str, needed: Sequence[str] = SPLITS
) -> None:
    """Check ids and splits of a whole corpus.

    Args:
        utterances: of all splits.
        where: for messages.
        needed: splits that there must be.

    Raises:
        CorpusError: an id occurs twice, or a speaker stands in two of train, dev, test.
        TrialError: a needed split has fewer than two speakers, or test no target trial.
    """
    counts = Counter(utterance.utterance_id for utterance in utterances)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise CorpusError(f"{where}: utterance_id must be unique, {twice[0]} occurs twice")
    speakers = {
        split: {utterance.speaker for utterance in utterances if utterance.split == split}
        for split in SPLITS
    }
    for place, first in enumerate(SPLITS):
        for second in SPLITS[place + 1 :]:
            shared = sorted(speakers[first] & speakers[second])
            if shared:
                raise CorpusError(
                    f"{where}: speakers of {first} and {second} must be disjoint, "
                    f"{shared[0]} is in both; correct the splits"
                )
    for split in needed:
        if len(speakers[split]) < MIN_SPEAKERS:
            raise TrialError(
                f"{where}: split {split} must have at least {MIN_SPEAKERS} speakers, "
                f"found {len(speakers[split])}; give more speakers or other splits"
            )
    if "test" in needed:
        _check_target_trial(utterances, where)


def _check_target_trial(utterances: Sequence[Utterance], where: str) -> None:
    """Check that two utterances of test are of one speaker; dev and train can do without."""
    each = Counter(utterance.speaker for utterance in utterances if utterance.split == "test")
    if max(each.values()) < MIN_UTTERANCES:
        raise TrialError(
            f"{where}: split test must have a speaker with {MIN_UTTERANCES} utterances, for a "
            f"target trial, its {len(each)} speakers have one each; give more utterances or "
            "other splits"
        )


def assign_splits(
    utterances: Sequence[Utterance],
    dev_fraction: float,
    test_fraction: float,
    random: np.random.Generator,
) -> list[Utterance]:
    """Fill empty splits by speaker, seeded; speakers that already have a split keep it.

    At least two speakers go to dev and two to test.
    """
    taken = {item.speaker: item.split for item in utterances if item.split}
    free = sorted({item.speaker for item in utterances if not item.split} - taken.keys())
    drawn = [free[position] for position in random.permutation(len(free))]
    dev = min(max(MIN_SPEAKERS, round(dev_fraction * len(free))), len(free))
    test = max(MIN_SPEAKERS, round(test_fraction * len(free)))
    for position, speaker in enumerate(drawn):
        if position < dev:
            taken[speaker] = "dev"
        elif position < dev + test:
            taken[speaker] = "test"
        else:
            taken[speaker] = "train"
    return [item if item.split else replace(item, split=taken[item.speaker]) for item in utterances]


def move_speakers(
    utterances: Sequence[Utterance],
    split: str,
    to: str,
    fraction: float,
    random: np.random.Generator,
) -> list[Utterance]:
    """Move whole speakers, drawn by seed, from one split to another; two at least."""
    speakers = sorted({item.speaker for item in utterances if item.split == split})
    number = max(MIN_SPEAKERS, round(fraction * len(speakers)))
    moved = {speakers[position] for position in random.permutation(len(speakers))[:number]}
    return [
        replace(item, split=to) if item.split == split and item.speaker in moved else item
        for item in utterances
    ]


def utterance_table(utterances: Iterable[Utterance]) -> "pd.DataFrame":
    """Lay utterances out as the columns of the local manifest.csv."""
    import pandas as pd

    rows = [[getattr(item, column) for column in LOCAL_COLUMNS] for item in utterances]
    return pd.DataFrame(rows, columns=list(LOCAL_COLUMNS))


def phone_table(recordings: Iterable[tuple[str, Sequence[Phone]]]) -> "pd.DataFrame":
    """Lay alignments out as the columns of phones.csv."""
    import pandas as pd

    rows = [
        (utterance_id, phone.start_s, phone.end_s, phone.phone)
        for utterance_id, phones in recordings
        for phone in phones
    ]
    return pd.DataFrame(rows, columns=list(PHONE_COLUMNS))


def word_table(recordings: Iterable[tuple[str, Sequence[Word]]]) -> "pd.DataFrame":
    """Lay alignments of words out as the columns of words.csv."""
    import pandas as pd

    rows = [
        (utterance_id, word.start_s, word.end_s, word.word)
        for utterance_id, words in recordings
        for word in words
    ]
    return pd.DataFrame(rows, columns=list(WORD_COLUMNS))


def read_table(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> "pd.DataFrame":
    """Read the named columns of a CSV file as text cells; optional ones are "" where absent.

    Raises:
        CorpusError: the file is missing or is not CSV, a column is missing or there twice,
            or a row has more or fewer cells than the header. Row 1 is the header.
    """
    import pandas as pd

    rows = csv_rows(path, columns, CorpusError, ADVICE, optional)
    header = next(rows)
    table = pd.DataFrame(list(rows), columns=header, dtype=str)
    for column in optional:
        if column not in header:
            table[column] = ""
    return table[[*columns, *optional]]


def table_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Walk over the rows of a CSV file, its named columns as text; memory is that of a row.

    Raises:
        CorpusError: as in `read_table`, when the walk comes to it.
    """
    rows = csv_rows(path, columns, CorpusError, ADVICE)
    header = next(rows)
    places = [header.index(column) for column in columns]
    for row in rows:
        yield tuple(row[place] for place in places)


def read_lines(path: Path) -> list[str]:
    """Read the lines of a text file in UTF-8, with or without line ends of DOS.

    Raises:
        CorpusError: the file is missing or is no such text.
    """
    try:
        text = regular(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path} must be a readable text file in UTF-8: {error}") from error
    # splitlines would also cut at the separators that a text in Unicode may hold
    return text.removesuffix("\n").split("\n") if text else []


def check_alignment(
    utterance_id: str, phones: Sequence[Phone], duration_s: float, more_s: float = 0.0
) -> None:
    """Check that phones run forward inside the utterance.

    Args:
        utterance_id: for messages.
        phones: in time order.
        duration_s: of the recording.
        more_s: that this may be wrong by, where the recording itself was not read.

    Raises:
        CorpusError: an empty or backward phone, an overlap, or an end beyond the recording
            by more than `END_TOLERANCE_S`.
    """
    previous = 0.0
    for phone in phones:
        if not (phone.end_s > phone.start_s >= previous - 1e-6):
            raise CorpusError(
                f"utterance {utterance_id}: phone {phone.phone} must start at or after "
                f"{previous:.3f} s and end later, got {phone.start_s:.3f} to {phone.end_s:.3f} s"
            )
        previous = phone.end_s
    if previous > duration_s + more_s + END_TOLERANCE_S:
        raise CorpusError(
            f"utterance {utterance_id}: alignment must end within the recording, "
            f"it ends at {previous:.3f} s, the recording lasts {duration_s:.3f} s"
        )
