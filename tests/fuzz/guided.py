"""Bytes that find their way into our parsers: atheris keeps what reaches new lines of them.

    python -m tests.fuzz.guided mpeg --runs 100000 --seed 7

An example is read, or refused in one sentence; it hangs nowhere. One that does something else is
kept, and its name printed. libsndfile is C and not looked into: tests/fuzz/test_audio.py.
"""

import argparse
import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris
import numpy as np
import soundfile

with atheris.instrument_imports(include=["fhvae.corpus.containers", "fhvae.files"]):
    from fhvae.corpus.containers.flac import read_lengths, with_total
    from fhvae.corpus.containers.mpeg import read_frames
    from fhvae.corpus.containers.ogg import check_pages
    from fhvae.corpus.containers.opening import open_audio
    from fhvae.files.columns import COUNT, read_csv
    from fhvae.files.shards import open_npy
    from fhvae.files.tensors import Kind, read_tensors, write_tensors

from fhvae.errors import FhvaeError
from tests.fuzz.damage import check_sentence
from tests.timit_disc import sphere

RATE_HZ, SECONDS = 16_000, 0.1
LONGEST_S = 20  # of one example
MOST_BYTES = 1 << 16
KIND = {"mu2": Kind("float32", "utterance 3")}


def mpeg(content: bytes, path: Path) -> None:
    """Frames of an mp3."""
    frames = read_frames(content)
    assert len(frames.sound) <= len(content)
    assert frames.samples >= 0


def flac(content: bytes, path: Path) -> None:
    """First and last frame of a flac file."""
    lengths = read_lengths(content)
    if lengths is not None and lengths.there is not None:
        again = read_lengths(with_total(content, lengths))
        assert again is not None
        assert again.promised == lengths.there & (1 << 36) - 1


def ogg(content: bytes, path: Path) -> None:
    """Pages of an Ogg file."""
    check_pages(content)


def opening(content: bytes, path: Path) -> None:
    """What any other container promises and where it ends."""
    path.write_bytes(content)
    with open_audio(path) as found:
        assert found.samples >= 0


def npy(content: bytes, path: Path) -> None:
    """An array of numbers."""
    path.write_bytes(content)
    rows = open_npy(path)
    assert rows.nbytes < len(content)


def tensors(content: bytes, path: Path) -> None:
    """Arrays by name."""
    path.write_bytes(content)
    assert np.isfinite(read_tensors(path, KIND, "latents").arrays["mu2"]).all()


def columns(content: bytes, path: Path) -> None:
    """A table."""
    path.write_bytes(content)
    assert read_csv(path, {"segments": COUNT}, "latents")["segments"].dtype == np.int64


def sounds(*containers: str) -> list[bytes]:
    """Give a file of each container."""
    found, random = [], np.random.default_rng(3)
    for container in containers:
        file = io.BytesIO()
        samples = random.integers(-999, 999, int(SECONDS * RATE_HZ), dtype=np.int16)
        soundfile.write(file, samples, RATE_HZ, format=container)
        found.append(file.getvalue())
    return found


def array() -> list[bytes]:
    """Give a file of an array."""
    file = io.BytesIO()
    np.save(file, np.zeros((4, 3), np.float32))
    return [file.getvalue()]


def latents() -> list[bytes]:
    """Give a file of arrays by name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.safetensors"
        write_tensors(path, {"mu2": np.zeros((2, 3), np.float32)}, {"speakers": "a b"})
        return [path.read_bytes()]


def others() -> list[bytes]:
    """Give files of containers whose length is found out in opening.py itself."""
    return [*sounds("WAV", "AIFF", "AU", "CAF", "W64"), sphere(np.arange(99, dtype=np.int16))]


# by name: what reads, and what gives whole files to begin with
PARSERS: dict[str, tuple[Callable[[bytes, Path], None], Callable[[], list[bytes]]]] = {
    "mpeg": (mpeg, lambda: sounds("MP3")),
    "flac": (flac, lambda: sounds("FLAC")),
    "ogg": (ogg, lambda: sounds("OGG")),
    "opening": (opening, others),
    "npy": (npy, array),
    "tensors": (tensors, latents),
    "columns": (columns, lambda: [b"segments\n3\n0\n", b'"segments",b\r\n12,x\r\n']),
}


def main() -> None:
    """Fuzz one parser; libFuzzer ends the process, with 0 if all went well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parser", choices=PARSERS)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kept", type=Path, default=Path(), help="folder of what goes wrong")
    options = parser.parse_args()
    parse, whole = PARSERS[options.parser]
    folder = Path(tempfile.mkdtemp())  # libFuzzer ends without a word to Python
    path = folder / "example"
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, content in enumerate(whole()):
        (corpus / str(number)).write_bytes(content)

    def once(content: bytes) -> None:
        try:
            parse(content, path)
        except FhvaeError as error:
            check_sentence(error, path)

    told = {"runs": options.runs, "seed": options.seed, "max_len": MOST_BYTES}
    told |= {"timeout": LONGEST_S, "verbosity": 0, "artifact_prefix": f"{options.kept}/"}
    atheris.Setup(
        [sys.argv[0], *(f"-{key}={value}" for key, value in told.items()), str(corpus)], once
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
