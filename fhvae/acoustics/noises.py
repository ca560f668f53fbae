"""What noise is made of: recordings that sound, voices of others, the spectrum of speech.

Recorded noise is a folder with manifest.csv (noise_id, path, class) and audio files.
"""

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from fhvae.acoustics.sounds import FRAME, active_frames, active_samples, read_sound
from fhvae.corpus.decoder import read_audio
from fhvae.corpus.listing import check_inside
from fhvae.corpus.manifest import read_table
from fhvae.corpus.signals import from_int16, rms
from fhvae.errors import CorpusError
from fhvae.features.extraction import Clip
from fhvae.parallel import map_in_order
from fhvae.params.domains import DomainsParams
from fhvae.seeds import generator

BABBLE, FOLDER, HUM, SPEECH_SHAPED = "babble", "folder", "hum", "speech_shaped"  # kinds of noise
COLUMNS = ("noise_id", "path", "class")
MIN_ACTIVE = 0.5  # one bark or sneeze would leave most of an utterance clean
SPECTRUM_POINTS = 512  # 31 Hz apart: formants, no harmonics
SPECTRUM_UTTERANCES = 500  # a seeded sample of the training utterances beyond this

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


def recorded_noises(domains: DomainsParams) -> NoiseFolder | None:
    """Read the folder of recorded noise, where the params name one."""
    if domains.noise_path is None:
        return None
    return read_noise_folder(Path(domains.noise_path), domains.active_range_db)


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
            names no file of the folder.
    """
    path = folder / "manifest.csv"
    found: dict[str, NoiseRecording] = {}
    rows = read_table(path, COLUMNS).to_dict("records")
    for number, row in enumerate(rows, start=2):
        name, kind = row["noise_id"], row["class"]
        if not name or name in found or not (name + kind).isprintable():
            raise CorpusError(
                f"{path} row {number}: noise_id must be a name that occurs once, and class a word, "
                f"both printable, got {name!r} and {kind!r}"
            )
        check_inside(folder.resolve(), row["path"], f"{path} row {number}: path of {name}")
        found[name] = NoiseRecording(name, folder / row["path"], kind)
    if not found:
        raise CorpusError(f"{path} must have a row per recording, it has none")
    return [found[name] for name in sorted(found)]


def _sounds(range_db: float, recording: NoiseRecording) -> bool:
    return bool(active_frames(read_noise(recording), range_db).mean() >= MIN_ACTIVE)


def read_noise(recording: NoiseRecording) -> np.ndarray:
    """Decode a recording, `[sample]` float64 at 16 kHz, full scale 1."""
    return from_int16(read_audio(recording.path, recording.noise_id, noun="noise"))


def sum_voices(
    voices: Sequence[np.ndarray], active: np.ndarray, range_db: float, random: np.random.Generator
) -> np.ndarray:
    """Let voices speak at once, each equally loud while it speaks and from a random point on."""
    total = np.zeros(len(active))
    for voice in voices:
        loudness = rms(voice[active_samples(voice, range_db)])
        total += looped(voice, active, range_db, random) / loudness
    return total


def looped(
    source: np.ndarray, active: np.ndarray, range_db: float, random: np.random.Generator
) -> np.ndarray:
    """Repeat a recording in a loop, from a random point on.

    A frame in which it sounds falls on the first active frame of the utterance, so that a
    recording with pauses has a level there.
    """
    starts = FRAME * np.flatnonzero(active_frames(source, range_db))
    first = int(starts[random.integers(len(starts))]) - int(np.argmax(active))
    return np.asarray(source[(first + np.arange(len(active))) % len(source)])


def speech_spectrum(clips: Sequence[Clip], seed: int) -> np.ndarray:
    """Estimate the long-term power spectrum of training speech, every utterance as loud.

    Returns:
        `[frequency]` of equal steps from 0 to 8 kHz, sum 1.
    """
    chosen = list(clips)
    if len(chosen) > SPECTRUM_UTTERANCES:
        random = generator(seed, "domain spectrum")
        places = random.choice(len(chosen), SPECTRUM_UTTERANCES, replace=False)
        chosen = [chosen[place] for place in sorted(places)]
    total = np.sum([utterance_spectrum(read_sound(clip)) for clip in chosen], axis=0)
    return np.asarray(total / total.sum())


def utterance_spectrum(signal: np.ndarray) -> np.ndarray:
    """Average the power spectrum of an utterance over half-overlapping frames, sum 1."""
    padded = np.pad(signal, SPECTRUM_POINTS)  # so that the first and last samples count as well
    frames = np.lib.stride_tricks.sliding_window_view(padded, SPECTRUM_POINTS)
    spectra = np.fft.rfft(frames[:: SPECTRUM_POINTS // 2] * np.hanning(SPECTRUM_POINTS))
    power = np.mean(np.square(np.abs(spectra)), axis=0)
    return np.asarray(power / power.sum())
