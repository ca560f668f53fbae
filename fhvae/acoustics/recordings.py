"""Recorded noise: a folder with manifest.csv (noise_id, path, class) and audio files."""

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fhvae.acoustics.activity import active_frames
from fhvae.corpus.audio import read_audio
from fhvae.corpus.manifest import read_table
from fhvae.corpus.signals import from_int16
from fhvae.errors import CorpusError
from fhvae.parallel import map_in_order

COLUMNS = ("noise_id", "path", "class")
MIN_ACTIVE = 0.5  # one bark or sneeze would leave most of an utterance clean

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NoiseRecording:
    """One recorded noise; `kind` is its class, such as rain."""

    noise_id: str
    path: Path
    kind: str


@dataclass(frozen=True)
class NoiseFolder:
    """The recordings that sound at least half of their time, and those left out: they pause."""

    kept: tuple[NoiseRecording, ...]
    left_out: tuple[NoiseRecording, ...]


def read_noise_folder(folder: Path, range_db: float) -> NoiseFolder:
    """Read manifest.csv and decode each recording once, to leave out those that mostly pause.

    Args:
        folder: `domains.noise_path`.
        range_db: what lies further below the loud parts of a recording is a pause.

    Raises:
        CorpusError: the manifest or a recording cannot be used, or all are left out.
    """
    recordings = read_noise_manifest(folder)
    with closing(map_in_order(partial(_sounds, range_db), recordings, "noises")) as found:
        sounding = list(found)
    kept = tuple(one for one, holds in zip(recordings, sounding, strict=True) if holds)
    left_out = tuple(one for one, holds in zip(recordings, sounding, strict=True) if not holds)
    if not kept:
        raise CorpusError(
            f"{folder}: one recording at least must sound in {MIN_ACTIVE:.0%} of its time, "
            f"none of {len(recordings)} does"
        )
    if left_out:
        log.warning(
            "%d of %d noises pause for more than half of their time and are left out: %s",
            len(left_out), len(recordings), ", ".join(one.noise_id for one in left_out),
        )  # fmt: skip
    return NoiseFolder(kept, left_out)


def read_noise_manifest(folder: Path) -> Sequence[NoiseRecording]:
    """Read the rows of manifest.csv, sorted by noise_id.

    Raises:
        CorpusError: the table is missing or broken, an id is empty or there twice, or a path
            names no file.
    """
    path = folder / "manifest.csv"
    found: dict[str, NoiseRecording] = {}
    rows = read_table(path, COLUMNS).to_dict("records")
    for number, row in enumerate(rows, start=2):
        name, audio = row["noise_id"], folder / row["path"]
        if not name or name in found:
            raise CorpusError(
                f"{path} row {number}: noise_id must be a name that occurs once, got {name!r}"
            )
        if not row["path"] or not audio.is_file():
            raise CorpusError(
                f"{path} row {number}: path of {name} must name a file, "
                f"{row['path']!r} is not there"
            )
        found[name] = NoiseRecording(name, audio, row["class"])
    if not found:
        raise CorpusError(f"{path} must have a row per recording, it has none")
    return [found[name] for name in sorted(found)]


def _sounds(range_db: float, recording: NoiseRecording) -> bool:
    samples = read_audio(recording.path, recording.noise_id, noun="noise")
    return bool(active_frames(from_int16(samples), range_db).mean() >= MIN_ACTIVE)
