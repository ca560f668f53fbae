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
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from fhvae.corpus.containers.opening import open_audio
from fhvae.corpus.manifest import END_TOLERANCE_S, SAMPLE_RATE_HZ
from fhvae.errors import CorpusError

FULL_SCALE = 32768  # int16 steps from 0 to 1.0
MAX_PEAK = 2.0  # of full scale; decoders of lossy formats overshoot, but not so far
MAX_S = 3600.0  # an utterance is one recording of one speaker; more is a broken header
BLOCK_VALUES = 1 << 20  # all channels together


def read_audio(path: Path, name: str, noun: str = "utterance") -> np.ndarray:
    """Read a whole recording as `read_audio_and_rate` does, `[sample]` int16, without its rate."""
    return read_audio_and_rate(path, name, noun)[0]


def read_audio_and_rate(
    path: Path,
    name: str,
    noun: str = "utterance",
    start_s: float | None = None,
    end_s: float | None = None,
) -> tuple[np.ndarray, int]:
    """Read one recording, or a part of it.

    Args:
        path: of one of `fhvae.corpus.containers.opening.CONTAINERS`.
        name: id of the recording, for messages.
        noun: what it is a recording of, for messages.
        start_s, end_s: the part to read, in seconds; None for the ends of the file.

    Returns:
        `[sample]` int16 at `SAMPLE_RATE_HZ`, and the rate of the file in Hz.

    Raises:
        CorpusError: the file is unreadable, cut short, empty, silent throughout, has
            unequal channels, an unusable rate, samples that are no numbers, or does not
            hold the part.
    """
    try:
        if start_s is None and end_s is None:
            waveform, rate_hz = _read_waveform(path)
        else:
            waveform, rate_hz = _read_part(path, start_s or 0.0, end_s)
        return _to_int16(_resample(waveform, rate_hz)), rate_hz
    except CorpusError as error:
        raise CorpusError(f"{noun} {name}: {path}: {error}") from error


def _read_waveform(path: Path) -> tuple[np.ndarray, int]:
    """Read `[sample]` float32, full scale 1.0, and the rate in Hz."""
    with open_audio(path) as opened:
        _check_length(max(opened.samples, opened.promised), opened.rate_hz)
        waveform = _read_channel(opened.file)
    if len(waveform) != opened.promised:
        raise CorpusError(
            f"must be whole, its header promises {opened.promised} samples, {len(waveform)} are "
            "there; copy the file again"
        )
    if len(waveform) == 0:
        raise CorpusError("must hold at least one sample, it is empty")
    return waveform, opened.rate_hz


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


def _read_channel(file: Any, most: int | None = None) -> np.ndarray:
    """Read the one channel, or the first of equal ones, `[sample]`, block by block.

    Args:
        file: at the first sample to read.
        most: samples to read; all that are there if None.
    """
    blocks: list[np.ndarray] = []
    size = max(1, BLOCK_VALUES // file.channels)
    left = math.inf if most is None else most
    while len(block := file.read(int(min(size, left)), dtype="float32", always_2d=True)):
        left -= len(block)
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
    if peak == 0:
        raise CorpusError("must hold sound, every sample is 0")
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
