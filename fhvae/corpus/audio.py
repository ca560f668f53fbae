"""Any audio file -> 16 kHz int16 samples of one channel, or one sentence saying why not.

What is decided here (docs/corpora.md tells users):

- Several channels are read only if they are equal sample by sample. A mixdown would let
  echoes cancel, and taking one would silently choose a microphone.
- Other rates are resampled with soxr, quality HQ.
- Samples are rounded to int16. What lies beyond full scale saturates, as resampling a loud
  recording overshoots a little; a peak above twice full scale means another unit, and is
  refused.
- A file gives all its samples or is refused, whatever its header says of their number
  (fhvae/corpus/containers).

What is here runs in a process that may die of a file: who wants samples asks
`fhvae.corpus.decoder`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fhvae.corpus.containers.opening import open_audio
from fhvae.corpus.manifest import END_TOLERANCE_S, SAMPLE_RATE_HZ
from fhvae.errors import CorpusError

FULL_SCALE = 32768  # int16 steps from 0 to 1.0
MAX_PEAK = 2.0  # of full scale; decoders of lossy formats overshoot, but not so far
MAX_S = 3600.0  # an utterance is one recording of one speaker; more is a broken header
MAX_RECORDING_S = 86_400.0  # a day, as long as a recorder runs; a small file may claim years
BLOCK_VALUES = 1 << 18  # read at a time, all channels together: bounds memory


@dataclass(frozen=True)
class Facts:
    """What a recording is.

    Attributes:
        rate_hz: samples per second and channel.
        channels: at least one.
        samples: per channel.
        subtype: as soundfile calls it, such as PCM_16.
    """

    rate_hz: int
    channels: int
    samples: int
    subtype: str


def look_at(path: Path) -> Facts:
    """Look at a recording of any length and number of channels; all of it must be there.

    Raises:
        CorpusError: it is missing, no audio file, cut short, empty or longer than a day.
    """
    with open_audio(path) as opened:
        _check_whole(opened.samples, opened.promised)
        if opened.samples > MAX_RECORDING_S * opened.rate_hz:
            raise CorpusError(
                f"must last at most {MAX_RECORDING_S:.0f} s, it lasts "
                f"{opened.samples / opened.rate_hz:.0f} s; cut it"
            )
        file = opened.file
        return Facts(opened.rate_hz, int(file.channels), opened.samples, str(file.subtype))


def walk_over(path: Path) -> Iterator[np.ndarray]:
    """Walk over a recording, `[sample, channel]` float32 at a time, full scale 1.0.

    Raises:
        CorpusError: it cannot be read, or holds another number of samples than it promised.
    """
    with open_audio(path) as opened:
        size, there = max(1, BLOCK_VALUES // opened.file.channels), 0
        while len(block := opened.file.read(size, dtype="float32", always_2d=True)):
            there += len(block)
            if there > opened.promised:
                break
            yield block
        _check_whole(there, opened.promised)


@contextmanager
def named(what: str) -> Iterator[None]:
    """Begin the sentence of an error with what it is about."""
    try:
        yield
    except CorpusError as error:
        raise CorpusError(f"{what}: {error}") from error


def samples_and_rate(
    path: Path, start_s: float | None, end_s: float | None
) -> tuple[np.ndarray, int]:
    """Do what `fhvae.corpus.decoder.read_audio_and_rate` tells; errors do not name the file."""
    if start_s is None and end_s is None:
        waveform, rate_hz = _read_waveform(path)
    else:
        waveform, rate_hz = _read_part(path, start_s or 0.0, end_s)
    samples = _to_int16(_resample(waveform, rate_hz))
    if not samples.any():  # nor is there any where all lie below half a step
        raise CorpusError("must hold sound, every sample is 0 in 16 bits")
    return samples, rate_hz


def _read_waveform(path: Path) -> tuple[np.ndarray, int]:
    """Read `[sample]` float32, full scale 1.0, and the rate in Hz."""
    with open_audio(path) as opened:
        most = max(opened.samples, opened.promised)
        _check_length(most, opened.rate_hz)
        waveform = _read_channel(opened.file, most + 1)  # a decoder may give without end
    _check_whole(len(waveform), opened.promised)
    return waveform, opened.rate_hz


def _check_whole(there: int, promised: int) -> None:
    if there != promised:
        raise CorpusError(
            f"must be whole, its header promises {promised} samples, {there} are there; "
            "copy the file again"
        )
    if there == 0:
        raise CorpusError("must hold at least one sample, it is empty")


def _read_part(path: Path, start_s: float, end_s: float | None) -> tuple[np.ndarray, int]:
    """Read the part of a file, however long the file is, as `_read_waveform` does the whole."""
    with open_audio(path) as opened:
        rate_hz, there_s = opened.rate_hz, opened.samples / opened.rate_hz
        end_s = there_s if end_s is None else end_s
        if not 0 <= start_s < end_s <= there_s + END_TOLERANCE_S:
            raise CorpusError(
                f"must hold the part from {start_s:g} to {end_s:g} s, it lasts {there_s:.3f} s"
            )
        if end_s - start_s > MAX_S:
            raise CorpusError(f"a part must last at most {MAX_S:.0f} s, got {end_s - start_s:g}")
        first, last = round(start_s * rate_hz), min(round(end_s * rate_hz), opened.samples)
        _go_to(opened.file, first)
        waveform = _read_channel(opened.file, last - first)
    if len(waveform) < last - first or len(waveform) == 0:
        raise CorpusError(
            f"must hold {last - first} samples from {start_s:g} to {end_s:g} s, "
            f"{len(waveform)} are there; copy the file again"
        )
    return waveform, rate_hz


def _check_length(samples: int, rate_hz: int) -> None:
    """Refuse what no recording has, before memory is asked for it."""
    if samples > MAX_S * rate_hz:
        raise CorpusError(
            f"must last at most {MAX_S:.0f} s, its header says {samples / rate_hz:.0f} s; "
            "cut it into utterances"
        )


def _go_to(file: Any, sample: int) -> None:
    """Move to a sample; a stream is read up to it."""
    if file.seekable():
        file.seek(sample)
        return
    size = max(1, BLOCK_VALUES // file.channels)
    while sample and (passed := len(file.read(min(size, sample), dtype="float32"))):
        sample -= passed


def _read_channel(file: Any, most: int) -> np.ndarray:
    """Read the one channel, or the first of equal ones, `[sample]`, block by block.

    Args:
        file: at the first sample to read.
        most: samples to read.
    """
    blocks: list[np.ndarray] = []
    size = max(1, BLOCK_VALUES // file.channels)
    while len(block := file.read(min(size, most), dtype="float32", always_2d=True)):
        most -= len(block)
        first = np.broadcast_to(block[:, :1], block.shape)
        if not np.array_equal(block, first, equal_nan=True):
            raise CorpusError(
                f"must have one channel, its {block.shape[1]} channels differ; "
                "choose or mix one beforehand"
            )
        blocks.append(block[:, 0].copy())
    return np.concatenate(blocks) if blocks else np.empty(0, np.float32)


def _resample(waveform: np.ndarray, rate_hz: int) -> np.ndarray:
    """Bring a waveform to `SAMPLE_RATE_HZ`; check that it is one."""
    if not np.isfinite(waveform).all():
        raise CorpusError("samples must be finite numbers, some are NaN or infinite")
    peak = float(np.abs(waveform).max())
    if peak > MAX_PEAK:
        raise CorpusError(
            f"samples must lie between -1 and 1, the largest is {peak:g}; scale the file"
        )
    if rate_hz == SAMPLE_RATE_HZ:
        return waveform
    import soxr

    resampled: np.ndarray = soxr.resample(waveform, rate_hz, SAMPLE_RATE_HZ, quality="HQ")
    if len(resampled) == 0:
        raise CorpusError(f"must hold more than {len(waveform)} samples at {rate_hz} Hz")
    return resampled


def _to_int16(waveform: np.ndarray) -> np.ndarray:
    """Round to the nearest int16 step; what was 16 bits wide comes back unchanged."""
    steps = np.rint(waveform * np.float32(FULL_SCALE))
    return np.clip(steps, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
