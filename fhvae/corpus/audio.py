"""Any audio file -> 16 kHz int16 samples of one channel, or one sentence saying why not.

What is decided here (docs/corpora.md tells users):

- Several channels are read only if they are equal sample by sample. A mixdown would let
  echoes cancel, and taking one would silently choose a microphone.
- Other rates are resampled with soxr, quality HQ.
- Samples are rounded to int16. What lies beyond full scale saturates, as resampling a loud
  recording overshoots a little; a peak above twice full scale means another unit, and is
  refused.
- A file whose header promises more than it holds, or less, is refused. libsndfile reads what
  it finds without a word, so the promise is read from its log and from NIST headers.
"""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from fhvae.corpus.manifest import SAMPLE_RATE_HZ
from fhvae.errors import CorpusError

FULL_SCALE = 32768  # int16 steps from 0 to 1.0
MAX_PEAK = 2.0
MIN_RATE_HZ = 4_000
MAX_RATE_HZ = 192_000
PART_TOLERANCE_S = 0.025  # a part may be said to end so much after the file does
MAX_S = 3600.0  # an utterance is one recording of one speaker; more is a broken header
BLOCK_VALUES = 1 << 20  # all channels together
STREAMED_BYTES = 0x7FFFF000  # sizes from here on are placeholders: the writer could not seek
LOGGED_SIZE = re.compile(
    r"^\s*(?:data|SSND|Data Size|riff|Riff size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE
)
LOGGED_END = re.compile(r"Unknown chunk marker .*?at position (\d+)")  # of what could be read
MAX_TAIL_S = 0.1  # a tag at the end of a file is shorter, and no chunk either
NIST_MAGIC = b"NIST_1A"
NIST_COUNT = re.compile(rb"^sample_count -i (\d+)\s*$", re.MULTILINE)
NIST_CODING = re.compile(rb"^sample_coding -s\d+ (\S+)\s*$", re.MULTILINE)
NIST_HEADER_BYTES = 1024


def read_audio(
    path: Path,
    name: str,
    noun: str = "utterance",
    start_s: float | None = None,
    end_s: float | None = None,
) -> np.ndarray:
    """Read one recording, or a part of it.

    Args:
        path: wav, flac, ogg, aiff, NIST sphere or another format with a header that
            libsndfile knows.
        name: id of the recording, for messages.
        noun: what it is a recording of, for messages.
        start_s, end_s: the part to read, in seconds; None for the ends of the file.

    Returns:
        `[sample]` int16 at `SAMPLE_RATE_HZ`.

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
        return _to_int16(_resample(waveform, rate_hz))
    except CorpusError as error:
        raise CorpusError(f"{noun} {name}: {path}: {error}") from error


def _read_waveform(path: Path) -> tuple[np.ndarray, int]:
    """Read `[sample]` float32, full scale 1.0, and the rate in Hz."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            _check_header(file)
            blocks = _read_blocks(file)
            promised = _promised_frames(file, path)
            _check_tail(file, path)
    except (soundfile.SoundFileError, OSError) as error:
        _check_coding(path)
        raise CorpusError(f"must be an audio file, {_reason(error)}") from error
    except TypeError as error:  # soundfile on a file named .raw
        raise CorpusError(f"must be an audio file with a header, {_reason(error)}") from error
    waveform = np.concatenate(blocks) if blocks else np.empty(0, np.float32)
    longer = file.format == "NIST" and len(waveform) > promised  # elsewhere _check_tail tells
    if len(waveform) < promised or longer:
        raise CorpusError(
            f"must be whole, its header promises {promised} samples, {len(waveform)} are there; "
            "copy the file again"
        )
    if len(waveform) == 0:
        raise CorpusError("must hold at least one sample, it is empty")
    return waveform, int(file.samplerate)


def _read_part(path: Path, start_s: float, end_s: float | None) -> tuple[np.ndarray, int]:
    """Read the part of a file, however long the file is, as `_read_waveform` does the whole."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            _check_rate(file)
            rate_hz, there_s = int(file.samplerate), file.frames / file.samplerate
            end_s = there_s if end_s is None else end_s
            if not 0 <= start_s < end_s <= there_s + PART_TOLERANCE_S:
                raise CorpusError(
                    f"must hold the part from {start_s:g} to {end_s:g} s, it lasts {there_s:.3f} s"
                )
            if end_s - start_s > MAX_S:
                raise CorpusError(
                    f"a part must last at most {MAX_S:.0f} s, got {end_s - start_s:g}"
                )
            first, last = round(start_s * rate_hz), min(round(end_s * rate_hz), file.frames)
            file.seek(first)
            blocks = _read_blocks(file, last - first)
    except (soundfile.SoundFileError, OSError, TypeError) as error:
        _check_coding(path)
        raise CorpusError(f"must be an audio file, {_reason(error)}") from error
    waveform = np.concatenate(blocks) if blocks else np.empty(0, np.float32)
    if len(waveform) < last - first or len(waveform) == 0:
        raise CorpusError(
            f"must hold {last - first} samples from {start_s:g} to {end_s:g} s, "
            f"{len(waveform)} are there; copy the file again"
        )
    return waveform, rate_hz


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _check_rate(file: Any) -> None:
    if not MIN_RATE_HZ <= file.samplerate <= MAX_RATE_HZ:
        raise CorpusError(
            f"sample rate must be {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz, got {file.samplerate}"
        )


def _check_header(file: Any) -> None:
    """Refuse what no recording has, before memory is asked for it."""
    _check_rate(file)
    if file.frames > MAX_S * file.samplerate:
        raise CorpusError(
            f"must last at most {MAX_S:.0f} s, its header says "
            f"{file.frames / file.samplerate:.0f} s; cut it into utterances"
        )


def _read_blocks(file: Any, most: int | None = None) -> list[np.ndarray]:
    """Read the one channel, or the first of equal ones, block by block.

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
    return blocks


def _promised_frames(file: Any, path: Path) -> int:
    """Count the samples the header speaks of, per channel."""
    if file.format == "NIST":
        found = NIST_COUNT.search(_nist_header(path))
        return int(found.group(1)) if found else int(file.frames)
    for promise, there in LOGGED_SIZE.findall(file.extra_info):
        if int(there) < int(promise) < STREAMED_BYTES:
            scaled = int(file.frames) * int(promise) // max(1, int(there))
            return max(int(file.frames) + 1, scaled)
    return int(file.frames)


def _check_tail(file: Any, path: Path) -> None:
    """Refuse a file with much behind its last chunk: samples of which the header knows nothing."""
    found = LOGGED_END.search(file.extra_info)
    if found is None or not file.frames:
        return
    read, size = int(found.group(1)), path.stat().st_size
    if (size - read) * file.frames > MAX_TAIL_S * file.samplerate * read:
        raise CorpusError(
            f"header must speak of all samples, it ends with byte {read} of {size} after "
            f"{file.frames} samples; copy the file again"
        )


def _nist_header(path: Path) -> bytes:
    """Read the header of a NIST sphere file; b"" of another one, or of none."""
    try:
        with path.open("rb") as file:
            header = file.read(NIST_HEADER_BYTES)
    except OSError:
        return b""
    return header if header.startswith(NIST_MAGIC) else b""


def _check_coding(path: Path) -> None:
    """Say what to do with a NIST sphere file that libsndfile cannot decode: mostly Shorten."""
    found = NIST_CODING.search(_nist_header(path))
    if found:
        raise CorpusError(
            f"must be a sphere file of plain samples, its sample_coding is "
            f"{found.group(1).decode(errors='replace')}; unpack it with sph2pipe -f wav"
        )


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
