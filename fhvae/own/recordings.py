"""A folder of audio files as a corpus: who speaks, what is kept for dev, what is cut.

With manifest.csv or Kaldi's lists it is the corpus that docs/corpora.md describes. Without, every
audio file in it and below is taken:

- speakers are the folders directly below, where there are at least four of them: two or a tenth
  are kept for dev. Else nobody is known, and of all pieces a tenth is kept;
- long recordings are cut into pieces, each of which has its own mu2;
- a recording under two speakers is refused; where nobody is known, a copy of another is left out;
- channels are mixed as `fhvae embed` mixes them; what cannot be used is left out, by name.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from fhvae.corpus.catalogue import QUARANTINE, Copies, decode, without_copies
from fhvae.corpus.manifest import MIN_SPEAKERS, SAMPLE_RATE_HZ, Recording, Refused, Utterance
from fhvae.corpus.recipes.folder import is_listed, read_tables
from fhvae.errors import CorpusError
from fhvae.files.below import files_below
from fhvae.params.corpus import SplitParams
from fhvae.pretrained import audio_files
from fhvae.recording import mixed, open_recording
from fhvae.seeds import generator

TRAIN_AND_DEV = ("train", "dev")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Own:
    """What a folder holds.

    Attributes:
        recordings: to be walked over once.
        files: that they come of; with tables, all in the folder and all that a table names.
        splits: that there must be.
        knows_speakers: whether speakers are people; else each piece is its own.
    """

    recordings: Iterator[Recording | Refused]
    files: Sequence[Path]
    splits: Sequence[str]
    knows_speakers: bool


def own_recordings(folder: Path, params: SplitParams, piece_s: float) -> Own:
    """Take a folder for a corpus.

    Args:
        folder: with audio files in it or below, or with tables.
        params: share of dev, and the seed that draws it.
        piece_s: no piece of a plain recording is longer, in seconds.

    Raises:
        CorpusError: there is no folder, no audio, or a table is wrong.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder} must be a folder of recordings, it is none")
    if is_listed(folder):
        listed = read_tables(folder, params)
        splits = ("train", "dev", "test")
        files = sorted({*files_below(folder), *(one.file for one in listed.sources.values())})
        return Own(decode(listed, QUARANTINE), files, splits, knows_speakers=True)
    files = audio_files(folder)
    speakers = sorted({name for path in files if (name := _speaker(folder, path))})
    if len(speakers) < 2 * MIN_SPEAKERS:
        return Own(_unknown(folder, files, piece_s), files, TRAIN_AND_DEV, knows_speakers=False)
    dev = _drawn(speakers, params)
    known = without_copies(_known(folder, files, dev, piece_s), str(folder))
    return Own(known, files, TRAIN_AND_DEV, knows_speakers=True)


def _speaker(folder: Path, path: Path) -> str:
    """Name the folder directly below that a file lies in, "" if it lies in none."""
    first, *below = path.relative_to(folder).parts
    return in_utf8(first) if below else ""


def in_utf8(name: str) -> str:
    r"""Write the name of a file as text that a table can hold: a stray byte as \udcff."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _drawn(speakers: Sequence[str], params: SplitParams) -> set[str]:
    """Draw the speakers of dev, two at least."""
    count = max(MIN_SPEAKERS, round(params.dev_fraction * len(speakers)))
    order = generator(params.seed, "splits").permutation(len(speakers))
    return {speakers[place] for place in order[:count]}


def _known(
    folder: Path, files: Sequence[Path], dev: set[str], piece_s: float
) -> Iterator[Recording | Refused]:
    for number, path in enumerate(files):
        speaker = _speaker(folder, path)
        split = "dev" if speaker in dev else "train"
        if not speaker:  # a file beside the folders
            yield _left_out(folder, path, number, "it lies in no speaker's folder")
            continue
        for piece in _pieces(folder, path, number, piece_s):
            if isinstance(piece, Refused):
                yield piece
            else:
                yield _utterance(folder, path, piece, speaker, split)


def _unknown(folder: Path, files: Sequence[Path], piece_s: float) -> Iterator[Recording | Refused]:
    """Keep the second, the fourth and every tenth piece for dev, none that is in train too."""
    count, copies = 0, Copies()
    for number, path in enumerate(files):
        for piece in _pieces(folder, path, number, piece_s):
            if isinstance(piece, Refused):
                yield piece
                continue
            split = "dev" if count in (1, 3) or count % 10 == 9 else "train"
            recording = _utterance(folder, path, piece, piece.name, split)
            if (known := copies.original(recording)) is not None:
                reason = f"{piece.name} holds the same samples as {known.utterance_id}"
                yield _left_out(folder, path, number, f"{reason}, of {known.path}")
                continue
            yield recording
            count += 1


@dataclass(frozen=True)
class _Piece:
    name: str
    samples: np.ndarray


def _pieces(folder: Path, path: Path, number: int, piece_s: float) -> Iterator[_Piece | Refused]:
    """Cut a recording into equal pieces, or say why it cannot be used."""
    try:
        with mixed(open_recording(path)) as mix:
            count = math.ceil(mix.length / (piece_s * SAMPLE_RATE_HZ))
            edges = np.linspace(0, mix.length, count + 1).astype(int).tolist()
            for place, (start, stop) in enumerate(pairwise(edges)):
                samples = mix.read(start, stop)
                if samples.any():
                    yield _Piece(f"{number:06d}-{place:04d}", samples)
                else:  # what all silences have in common is no copy
                    yield _left_out(folder, path, number, _silent(start, stop))
    except CorpusError as error:
        yield _left_out(folder, path, number, str(error))


def _silent(start: int, stop: int) -> str:
    first_s, last_s = start / SAMPLE_RATE_HZ, stop / SAMPLE_RATE_HZ
    return f"seconds {first_s:.1f} to {last_s:.1f} must hold sound, every sample is 0"


def _left_out(folder: Path, path: Path, number: int, reason: str) -> Refused:
    name = in_utf8(str(path.relative_to(folder)))
    log.warning("left out: %s: %s", name, reason)
    return Refused(Utterance(f"{number:06d}", name, "", "", "", "train", 0.0), reason)


def _utterance(folder: Path, path: Path, piece: _Piece, speaker: str, split: str) -> Recording:
    name = in_utf8(str(path.relative_to(folder)))
    utterance = Utterance(piece.name, name, speaker, "", "", split, 0.0)
    return Recording(utterance, piece.samples)
