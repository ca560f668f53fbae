"""A recording of any rate and number of channels, read block by block, and its 16 kHz mix.

The model hears one channel at 16 kHz. Here that is the mean of the channels: a corpus refuses
unequal ones (fhvae/corpus/audio.py), but a user's stereo file must have an answer. The mix goes
to a temporary file, so that memory does not grow with the length of the recording.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fhvae.corpus.audio import BLOCK_VALUES, FULL_SCALE, MAX_PEAK, named
from fhvae.corpus.containers.opening import MAX_RATE_HZ, MIN_RATE_HZ
from fhvae.corpus.decoder import look_at, walk_over
from fhvae.errors import ArtifactError, CorpusError
from fhvae.features.fbank import SAMPLE_RATE_HZ, frame_count, hop_samples, log_mel
from fhvae.files.atomic import of_file
from fhvae.files.sounds import new_sound
from fhvae.params.fbank import FbankParams

SUBTYPES = {".wav": "PCM_16", ".flac": "PCM_16"}  # by the end of a name; what is written
# What libFLAC writes of channels and rates: its streamable subset (RFC 9639, 7).
FLAC_CHANNELS, FLAC_RATE_HZ, FLAC_STEP_HZ, FLAC_STEPS = 8, 65_535, 10, 65_535
KEPT_SUBTYPES = {"PCM_16", "PCM_24"}  # of both containers; a source's depth is kept


@dataclass(frozen=True)
class Recording:
    """A recording that can be read more than once.

    Attributes:
        name: for messages.
        rate_hz: samples per second and channel.
        channels: at least one.
        samples: per channel.
        subtype: of the file, as soundfile calls it; "" of samples in memory.
        read: walks over it, `[sample, channel]` float32 at a time, full scale 1.0.
    """

    name: str
    rate_hz: int
    channels: int
    samples: int
    subtype: str
    read: Callable[[], Iterator[np.ndarray]]


@dataclass(frozen=True)
class Audio:
    """Samples in memory, `[sample]` or `[sample, channel]` float32 with full scale 1.0."""

    samples: np.ndarray
    rate_hz: int

    def write(self, path: Path | str) -> None:
        """Write a wav or flac file of 16 bits; what lies beyond full scale saturates."""
        block = self.samples.reshape(len(self.samples), -1)
        write_audio(Path(path), iter([block]), self.rate_hz, block.shape[1])


def open_recording(path: Path) -> Recording:
    """Look at an audio file; all of it must be there.

    Raises:
        CorpusError: it is missing, no audio file, cut short or empty.
    """
    with named(str(path)):
        found = look_at(path)

    def read() -> Iterator[np.ndarray]:
        with named(str(path)):
            yield from walk_over(path)

    return Recording(str(path), found.rate_hz, found.channels, found.samples, found.subtype, read)


def from_samples(samples: np.ndarray, rate_hz: int, name: str = "samples") -> Recording:
    """Take samples in memory as a recording.

    Args:
        samples: `[sample]` or `[sample, channel]`, int16 or float with full scale 1.0.
        rate_hz: samples per second and channel.
        name: for messages.

    Raises:
        CorpusError: they are none, or of another type or shape.
    """
    values = np.asarray(samples)
    if values.ndim not in (1, 2) or values.size == 0:
        raise CorpusError(
            f"{name}: samples must be [sample] or [sample, channel], got shape {values.shape}"
        )
    if values.dtype == np.int16:
        values = values / np.float32(FULL_SCALE)
    if not np.issubdtype(values.dtype, np.floating):
        raise CorpusError(f"{name}: samples must be int16 or floats, got {values.dtype}")
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise CorpusError(
            f"{name}: sample rate must be {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz, got {rate_hz}"
        )
    columns = values.reshape(len(values), -1).astype(np.float32)
    if columns.shape[1] > columns.shape[0]:
        raise CorpusError(
            f"{name}: samples must be [sample, channel], got shape {values.shape}; transpose them"
        )
    size = max(1, BLOCK_VALUES // columns.shape[1])

    def read() -> Iterator[np.ndarray]:
        for start in range(0, len(columns), size):
            yield columns[start : start + size]

    return Recording(name, rate_hz, columns.shape[1], len(columns), "", read)


class Mix:
    """The mean of a recording's channels at 16 kHz, int16, in a file; any part can be read.

    Attributes:
        length: in samples.
        peak: of the recording, 1.0 is full scale.
    """

    def __init__(self, file: Any, length: int, peak: float) -> None:
        self._file = file
        self.length = length
        self.peak = peak

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read samples `start` to `stop`, `[sample]` int16; less where the recording ends."""
        start, stop = max(0, start), min(stop, self.length)
        self._file.seek(2 * start)  # bytes
        return np.frombuffer(self._file.read(2 * max(0, stop - start)), np.int16)

    def frames(self, params: FbankParams) -> int:
        """Count the log-mel frames."""
        return frame_count(self.length, params.hop_ms)

    def log_mel(self, first: int, last: int, params: FbankParams) -> np.ndarray:
        """Compute frames `first` to `last` of all, `[frame, mel]`.

        They are those of the whole recording but for rounding. A frame sees half a spectrum to
        each side: so much is read beside them and dropped.
        """
        hop = hop_samples(params.hop_ms)
        beside = params.fft_size // 2 // hop + 2
        begin = max(0, first - beside)
        part = self.read(begin * hop, (last + beside) * hop)
        return log_mel(part, params)[first - begin : last - begin]


@contextmanager
def mixed(recording: Recording) -> Iterator[Mix]:
    """Mix a recording down to what the model hears.

    Raises:
        CorpusError: samples are no numbers or far beyond full scale, or there is no sound.
    """
    with tempfile.TemporaryFile() as file:
        with named(recording.name):
            length, peak = _write_mix(recording, file)
        yield Mix(file, length, peak)


def _write_mix(recording: Recording, file: Any) -> tuple[int, float]:
    """Write the mix; give its length in samples and the peak of the recording."""
    length, peak, heard = 0, 0.0, False
    for block in _resampled(recording):
        peak = max(peak, block.peak)
        steps = np.rint(block.mix * np.float32(FULL_SCALE))
        whole = np.clip(steps, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
        heard |= bool(whole.any())
        with _in_temporary_files():
            file.write(whole.tobytes())
        length += len(whole)
    if not heard:
        raise CorpusError("must hold sound, every sample is 0 in 16 bits (or the channels cancel)")
    with _in_temporary_files():
        file.flush()
    return length, peak


@contextmanager
def _in_temporary_files() -> Iterator[None]:
    """Say where what the system refuses was to be."""
    try:
        yield
    except OSError as error:
        if (named := of_file(error, Path(tempfile.gettempdir()))) is error:
            raise
        raise named from error


@dataclass(frozen=True)
class _Block:
    mix: np.ndarray
    peak: float


def _resampled(recording: Recording) -> Iterator[_Block]:
    """Walk over the mix at 16 kHz; check that samples are numbers of a usual size."""
    import soxr

    same = recording.rate_hz == SAMPLE_RATE_HZ
    stream = (
        None
        if same
        else soxr.ResampleStream(recording.rate_hz, SAMPLE_RATE_HZ, 1, "float32", quality="HQ")
    )
    left = recording.samples
    for block in recording.read():
        if not np.isfinite(block).all():
            raise CorpusError("samples must be finite numbers, some are NaN or infinite")
        peak = float(np.abs(block).max())
        if peak > MAX_PEAK:
            raise CorpusError(
                f"samples must lie between -1 and 1, the largest is {peak:g}; scale the file"
            )
        left -= len(block)
        mix = np.ascontiguousarray(block.mean(axis=1, dtype=np.float32))
        yield _Block(mix if stream is None else stream.resample_chunk(mix, last=left <= 0), peak)
    if left:
        raise CorpusError(f"must be whole, {left} samples are missing; copy the file again")


def write_audio(
    path: Path, blocks: Iterator[np.ndarray], rate_hz: int, channels: int, subtype: str = ""
) -> None:
    """Write blocks `[sample, channel]` as a wav or flac file, whole or not at all.

    Args:
        path: ends with .wav or .flac.
        blocks: full scale 1.0; what lies beyond saturates.
        rate_hz, channels: of the file.
        subtype: of the source; its depth is kept if it is one of `KEPT_SUBTYPES`.

    Raises:
        ArtifactError: the name has another end, or the container cannot hold it.
        OSError: the disk refuses it.
    """
    check_writable(path)
    check_container(path, rate_hz, channels)
    chosen = subtype if subtype in KEPT_SUBTYPES else SUBTYPES[path.suffix.lower()]
    container = path.suffix[1:].upper()
    with new_sound(path, rate_hz, channels, chosen, container) as file:
        for block in blocks:
            file.write(block)


def check_writable(path: Path) -> None:
    """Raise ArtifactError if no audio file can have this name."""
    check_name(path)
    if path.suffix.lower() not in SUBTYPES:
        raise ArtifactError(
            f"{path} must end with {' or '.join(SUBTYPES)}, other containers are not written"
        )
    if path.exists() and not path.is_file():
        raise ArtifactError(f"{path} must be a file or not there yet; give another name")


def check_name(path: Path | str) -> None:
    """Raise ArtifactError if no file of any kind can have this name."""
    try:
        possible = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise ArtifactError(f"{path} must be the name of a file, no file can have it")


def check_container(path: Path, rate_hz: int, channels: int) -> None:
    """Raise ArtifactError if a file of this name cannot hold such sound."""
    steps, rest = divmod(rate_hz, FLAC_STEP_HZ)
    told = rate_hz <= FLAC_RATE_HZ or (rest == 0 and steps <= FLAC_STEPS)
    if path.suffix.lower() == ".flac" and not (told and channels <= FLAC_CHANNELS):
        raise ArtifactError(
            f"{path} must have at most {FLAC_CHANNELS} channels and a rate up to {FLAC_RATE_HZ} Hz "
            f"or of whole tens, got {channels} and {rate_hz}; name a .wav file"
        )


def check_outputs(outs: Sequence[Path], inputs: Iterable[Path]) -> None:
    """Raise ArtifactError if a file cannot be written as audio, or would be over what is read."""
    for out in outs:
        check_writable(out)
    check_apart(outs, inputs)


def check_apart(outs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise ArtifactError if a file that is to be written is one of those that are read."""
    read = {os.path.realpath(path) for path in inputs}
    for out in outs:
        if os.path.realpath(out) in read:
            raise ArtifactError(
                f"{out} must be another file than those that are read, it is one of them; "
                "name another output"
            )
