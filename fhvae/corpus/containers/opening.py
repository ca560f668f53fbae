"""Audio files of every container whose length can be known, opened so that all of it is read.

libsndfile reads what it finds without a word, or stops where the header says. So what a file
should hold is found out by other means, one per family:

- wav, aiff, au, caf, w64: the promise is in libsndfile's log; placeholders of a writer that
  could not seek are no promise.
- NIST sphere: in its text header.
- flac: the last frame is held against the header, which may say nothing (flac.py).
- ogg: pages must be one stream, first to last (ogg.py).
- mp3: frames are counted (mpeg.py).

The rest of what libsndfile knows (svx, voc, ircam, pvf, mat, ...) is refused: a file of these
may be cut without a sign.
"""

import io
import os
import re
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from fhvae.corpus.containers.flac import read_lengths, with_total
from fhvae.corpus.containers.mpeg import read_frames
from fhvae.corpus.containers.ogg import check_pages
from fhvae.errors import CorpusError

CONTAINERS = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3", "NIST"}
CONTAINERS |= {"HTK"}
MIN_RATE_HZ = 4_000  # of speech on a poor line; less is a broken header
MAX_RATE_HZ = 192_000  # of studio equipment; more is a broken header
STREAMED_BYTES = 0x7FFFF000  # sizes from here on are placeholders: the writer could not seek
LOGGED_SIZE = re.compile(
    r"^\s*(?:data|SSND|Data Size|riff|Riff size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE
)
LOGGED_END = re.compile(r"Unknown chunk marker .*?at position (\d+)")  # of what could be read
LOGGED_NO_CHUNK = re.compile(r"\(unknown marker\)\s*\*\*\* Chunk size \d+ > file length")  # of AIFC
MAX_TAIL_S = 0.1  # a tag at the end of a file is shorter, and no chunk either
MAX_HEADER_BYTES = 4096  # of a file that is all header
CAF_HEADER_BYTES = 8  # size that the format fixes
AU_HEADERS = {b".snd": ">II", b"dns.": "<II"}
NIST_MAGIC = b"NIST_1A"
NIST_COUNT = re.compile(rb"^sample_count -i (\d+)\s*$", re.MULTILINE)
NIST_CODING = re.compile(rb"^sample_coding -s\d+ (\S+)\s*$", re.MULTILINE)
NIST_HEADER_BYTES = 1024  # of NIST SPHERE; a header says if it is longer
MAX_HELD_BYTES = 2 << 30  # of a flac, ogg or mp3 file, which is held in memory: days of speech


@dataclass(frozen=True)
class OpenAudio:
    """A file at its first sample.

    Attributes:
        file: `soundfile.SoundFile`; of an mp3 it may be a stream that cannot seek.
        samples: per channel, as many as reading to the end gives.
        promised: what the header or the structure says should be there.
    """

    file: Any
    samples: int
    promised: int

    @property
    def rate_hz(self) -> int:
        """Samples per second and channel."""
        return int(self.file.samplerate)


@contextmanager
def open_audio(path: Path) -> Iterator[OpenAudio]:
    """Open a recording.

    Raises:
        CorpusError: it cannot be read, is cut, or holds more than its header or libsndfile
            knows of.
    """
    import soundfile

    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise CorpusError("must be a file, it is a folder, a pipe or a device")
        with _by_handle(path) as file:
            _check_kind(file)
            if file.format not in ("FLAC", "MP3"):
                yield _checked(file, path)
                return
            kind = file.format
        with (_open_mp3 if kind == "MP3" else _open_flac)(path) as found:
            yield found
    except OSError as error:
        raise CorpusError(f"must be a readable file: {error.strerror or error}") from error
    except soundfile.SoundFileError as error:
        _check_coding(path)
        reason = "it is empty" if path.stat().st_size == 0 else _reason(error)
        raise CorpusError(
            f"must be an audio file, {reason}; convert it to wav or flac, or leave it out"
        ) from error


@contextmanager
def _by_handle(path: Path) -> Iterator[Any]:
    """Open a file for libsndfile, which by name would also read `._name` beside it."""
    import soundfile

    handle = os.open(path, os.O_RDONLY)
    try:
        with soundfile.SoundFile(handle, closefd=False) as file:
            yield file
    finally:
        os.close(handle)


def _held(path: Path) -> bytes:
    """Read a compressed file whole: its end tells what its header should say."""
    size = path.stat().st_size
    if size > MAX_HELD_BYTES:
        raise CorpusError(
            f"must have at most {MAX_HELD_BYTES} bytes as it is compressed, it has {size}; "
            "decode it to wav"
        )
    return path.read_bytes()


def _reason(error: Exception) -> str:
    said = getattr(error, "error_string", str(error))  # libsndfile's, without the path
    return " ".join(said.split()).rstrip(".") or type(error).__name__


def _check_kind(file: Any) -> None:
    """Refuse a container whose length nobody can check, and rates of no recording."""
    if file.format not in CONTAINERS or (file.format != "MP3" and file.subtype.startswith("MPEG")):
        raise CorpusError(
            "must be wav, flac, ogg, mp3, aiff, au, caf, w64, NIST sphere or HTK, so that its "
            f"length can be checked, it is {file.format} with {file.subtype}; convert it to wav"
        )
    if not MIN_RATE_HZ <= file.samplerate <= MAX_RATE_HZ:
        raise CorpusError(
            f"sample rate must be {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz, got {file.samplerate}"
        )


def _checked(file: Any, path: Path) -> OpenAudio:
    """Find out what a file other than flac and mp3 should hold."""
    if file.format == "OGG":
        check_pages(_held(path))
    _check_empty(file, path)
    _check_tail(file, path)
    return OpenAudio(file, int(file.frames), _promised_samples(file, path))


@contextmanager
def _open_flac(path: Path) -> Iterator[OpenAudio]:
    import soundfile

    content = _held(path)
    lengths = read_lengths(content)
    if lengths is None or (lengths.promised and lengths.there is None):
        with _by_handle(path) as file:  # cut, which shows in the reading
            yield OpenAudio(file, int(file.frames), int(file.frames))
        return
    if lengths.there is None:
        raise CorpusError("must be whole, its last frame is broken; copy the file again")
    if lengths.promised == lengths.there:
        with _by_handle(path) as file:
            yield OpenAudio(file, lengths.there, lengths.there)
        return
    if lengths.promised:
        raise CorpusError(
            f"must be whole, its header promises {lengths.promised} samples, {lengths.there} are "
            "there; copy the file again"
        )
    with soundfile.SoundFile(io.BytesIO(with_total(content, lengths))) as file:
        yield OpenAudio(file, lengths.there, lengths.there)


@contextmanager
def _open_mp3(path: Path) -> Iterator[OpenAudio]:
    """Open an mp3: by its name where its header speaks of all frames, else as a stream of them."""
    frames = read_frames(_held(path))
    if frames.promised == frames.number:
        with _by_handle(path) as file:
            yield OpenAudio(file, int(file.frames), int(file.frames))
        return
    if frames.promised is not None and frames.promised > frames.number:
        raise CorpusError(
            f"must be whole, its header promises {frames.promised} frames, "
            f"{frames.number} are there; copy the file again"
        )
    with _streamed(frames.sound) as file:
        yield OpenAudio(file, frames.samples, frames.samples)


@contextmanager
def _streamed(content: bytes) -> Iterator[Any]:
    """Open bytes through a pipe: libsndfile then reads to the end, where it would guess one."""
    import soundfile

    reading, writing = os.pipe()
    feeder = Thread(target=_feed, args=(writing, content), daemon=True)
    feeder.start()
    try:
        with soundfile.SoundFile(reading, closefd=False) as file:
            yield file
    finally:
        os.close(reading)
        feeder.join()


def _feed(pipe: int, content: bytes) -> None:
    with suppress(BrokenPipeError), os.fdopen(pipe, "wb") as file:  # nobody reads on
        file.write(content)


def _promised_samples(file: Any, path: Path) -> int:
    """Count the samples the header speaks of, per channel."""
    if file.format == "NIST":
        found = NIST_COUNT.search(_nist_header(path))
        return int(found.group(1)) if found else int(file.frames)
    for promise, there in LOGGED_SIZE.findall(file.extra_info):
        if int(there) < int(promise) < STREAMED_BYTES:
            scaled = int(file.frames) * int(promise) // max(1, int(there))
            return max(int(file.frames) + 1, scaled)
    return int(file.frames)


def _check_empty(file: Any, path: Path) -> None:
    """Tell a header that was never filled in from a file without samples."""
    size = path.stat().st_size
    if file.frames == 0 and size > MAX_HEADER_BYTES:
        raise CorpusError(
            f"header must speak of all samples, it says 0 in a file of {size} bytes (its writer "
            "was stopped or could not seek); rewrite it with sox --ignore-length"
        )


def _check_tail(file: Any, path: Path) -> None:
    """Refuse a file with much behind its last chunk: samples of which the header knows nothing."""
    read = _end_of_chunks(file, path)
    size = path.stat().st_size
    if read is not None and file.frames:
        if (size - read) * file.frames > MAX_TAIL_S * file.samplerate * read:
            raise CorpusError(
                f"header must speak of all samples, it ends with byte {read} of {size} after "
                f"{file.frames} samples; copy the file again"
            )
    elif LOGGED_NO_CHUNK.search(file.extra_info):
        raise CorpusError(
            f"header must speak of all samples, {file.frames} are followed by no chunk; "
            "copy the file again"
        )


def _end_of_chunks(file: Any, path: Path) -> int | None:
    """Find the byte up to which a file is in order, where that is not its end."""
    if file.format == "AU":
        return _au_end(path)
    if file.format == "CAF":
        return _caf_end(path)
    found = LOGGED_END.search(file.extra_info)
    return int(found.group(1)) if found else None


def _caf_end(path: Path) -> int | None:
    """Walk over the chunks of a caf file, each of a name of four letters and a size."""
    at, size = CAF_HEADER_BYTES, path.stat().st_size
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            header = file.read(12)
            if len(header) < 12 or not header[:4].isalpha():
                return at
            length = int.from_bytes(header[4:], signed=True)
            if length < 0:  # of the samples, which then are last
                return None
            at += 12 + length
    return None


def _au_end(path: Path) -> int | None:
    """Read where the samples of an au file end; None where it does not say."""
    with path.open("rb") as file:
        header = file.read(12)
    layout = AU_HEADERS.get(header[:4])
    if layout is None or len(header) < 12:
        return None
    start, size = struct.unpack(layout, header[4:])
    return None if size >= STREAMED_BYTES else int(start + size)


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
