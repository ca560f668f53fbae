"""Recordings that no pipeline should trust, by name; and odd ones that are in order."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from fhvae.corpus.audio import named, samples_and_rate
from tests.timit_disc import sphere

RATE_HZ = 16_000
TEN_HOURS_S = 36_000
RIFF_HEADER_BYTES = 44


def read_here(path: Path, name: str, **part: float) -> np.ndarray:
    """Read a recording as `fhvae.corpus.decoder.read_audio` does, in this process."""
    ends = {"start_s": None, "end_s": None, **part}
    with named(f"utterance {name}: {path}"):
        return samples_and_rate(path, **ends)[0]


def noise(seconds: float = 1.0, rate_hz: int = RATE_HZ, channels: int = 1) -> np.ndarray:
    """Draw `[sample, channel]` int16, no two channels alike."""
    random = np.random.default_rng(5)
    return random.integers(-3000, 3000, (int(seconds * rate_hz), channels), dtype=np.int16)


def write_cut(path: Path) -> None:
    soundfile.write(path, noise(), RATE_HZ)
    path.write_bytes(path.read_bytes()[:20_000])


def write_data_size(path: Path, share: float) -> None:
    """Write a wav whose header promises `share` of the samples that are there."""
    samples = noise()
    soundfile.write(path, samples, RATE_HZ)
    whole = bytearray(path.read_bytes())
    place = whole.index(b"data") + 4
    whole[place : place + 4] = struct.pack("<I", int(share * samples.nbytes) // 2 * 2)
    path.write_bytes(whole)


def write_sphere_count(path: Path, count: int) -> None:
    path.write_bytes(sphere(noise()[:, 0], sample_count=f"-i {count}"))


def write_not_a_number(path: Path) -> None:
    samples = noise().astype(np.float32) / 32768
    samples[777] = np.nan
    soundfile.write(path, samples, RATE_HZ, format="WAV", subtype="FLOAT")


def write_ten_hours(path: Path, spoken: np.ndarray | None = None, start: int = 0) -> None:
    """Write 10 h of digital silence, as holes on the disk, with `spoken` at sample `start`."""
    size = TEN_HOURS_S * RATE_HZ * 2
    fields = (b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16, b"data")
    with path.open("wb") as file:
        file.write(struct.pack("<4sI4s4sIHHIIHH4sI", *fields, size))
        if spoken is not None:
            file.seek(RIFF_HEADER_BYTES + 2 * start)
            file.write(spoken.astype("<i2").tobytes())
        file.truncate(RIFF_HEADER_BYTES + size)


def write_channels(path: Path) -> None:
    soundfile.write(path, noise(0.5, 96_000, 8), 96_000, format="WAV")


HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut": (write_cut, "must be whole, its header promises 16000 samples, 9978 are there"),
    "no-byte": (lambda path: path.write_bytes(b""), "must be an audio file"),
    "no-sample": (
        lambda path: soundfile.write(path, noise()[:0], RATE_HZ),
        "must hold at least one sample",
    ),
    "wav-promises-more": (
        lambda path: write_data_size(path, 1.25),
        "must be whole, its header promises 20000 samples, 16000 are there",
    ),
    "wav-promises-less": (
        lambda path: write_data_size(path, 0.5),
        "header must speak of all samples, it ends with byte 16044 of 32044 after 8000 samples",
    ),
    "sphere-promises-more": (
        lambda path: write_sphere_count(path, 20_000),
        "must be whole, its header promises 20000 samples, 16000 are there",
    ),
    "sphere-promises-less": (
        lambda path: write_sphere_count(path, 9_000),
        "must be whole, its header promises 9000 samples, 16000 are there",
    ),
    "eight-channels": (write_channels, "must have one channel, its 8 channels differ"),
    "not-a-number": (write_not_a_number, "samples must be finite numbers"),
    "silence": (
        lambda path: soundfile.write(path, 0 * noise(), RATE_HZ),
        "must hold sound, every sample is 0",
    ),
    "ten-hours": (write_ten_hours, "must last at most 3600 s, its header says 36000 s"),
}
