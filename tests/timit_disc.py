"""Made-up copies of TIMIT: the folders, names and files of the disc, tiny recordings in them."""

import itertools
import string
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from fhvae.corpus.recipes.timit import listed_speakers

RATE_HZ = 16_000
TEXT = "Made up, but a sentence."


@dataclass(frozen=True)
class Voice:
    """A speaker to write: part of the disc, dialect, name in lower case."""

    part: str
    dialect: str
    name: str


def all_voices() -> list[Voice]:
    """Name 630 speakers: 462 in train; in test the 74 of the published lists and 94 others."""
    listed = listed_speakers()
    letters = itertools.product(string.ascii_lowercase, repeat=3)
    made_up = (
        f"{'mfm'[number % 3]}{''.join(three)}{number % 2}" for number, three in enumerate(letters)
    )
    free = (name for name in made_up if name not in listed)
    train = [Voice("train", "", next(free)) for _ in range(462)]
    test = [Voice("test", "", name) for name in [*listed, *(next(free) for _ in range(94))]]
    voices = [*train, *test]
    return [
        Voice(voice.part, f"dr{place % 8 + 1}", voice.name) for place, voice in enumerate(voices)
    ]


def few_voices() -> list[Voice]:
    """Name three speakers of train, and of test two per published list and one other."""
    names = {"train": ("fcjf0", "mdac0", "mrjo0")}
    names["test"] = ("faks0", "mgwt0", "mdab0", "felc0", "mzzz0")
    return [
        Voice(part, f"dr{place % 8 + 1}", name)
        for part, group in names.items()
        for place, name in enumerate(group)
    ]


def sentence_names(number: int) -> list[str]:
    """Name the ten sentences of speaker `number`: 2 SA, 3 SI, 5 SX."""
    return [
        "sa1",
        "sa2",
        *(f"si{3 * number + place + 1}" for place in range(3)),
        *(f"sx{5 * number + place + 3}" for place in range(5)),
    ]


def write_disc(
    root: Path, voices: list[Voice], upper: bool = True, recording: str = ".WAV", riff: bool = False
) -> Path:
    """Write a disc.

    Args:
        root: what holds TRAIN and TEST.
        voices: who speaks, ten sentences each.
        upper: case of all names below the root.
        recording: end of the names of recordings.
        riff: RIFF recordings instead of NIST sphere.
    """
    for number, voice in enumerate(voices):
        folder = root / cased(f"{voice.part}/{voice.dialect}/{voice.name}", upper)
        folder.mkdir(parents=True)
        for place, name in enumerate(sentence_names(number)):
            samples = make_samples(10 * number + place)
            write_labels(folder, name, len(samples), upper)
            path = folder / (cased(name, upper) + recording)
            if riff:
                soundfile.write(path, samples, RATE_HZ, format="WAV", subtype="PCM_16")
            else:
                path.write_bytes(sphere(samples))
    return root


def cased(name: str, upper: bool) -> str:
    return name.upper() if upper else name


def make_samples(number: int) -> np.ndarray:
    """Draw 0.02 to 0.05 s of noise `[sample]` int16, another for every number."""
    random = np.random.default_rng(number)
    return random.integers(-3000, 3000, int(random.integers(320, 800)), dtype=np.int16)


def write_labels(folder: Path, name: str, length: int, upper: bool) -> None:
    """Write .PHN, .WRD and .TXT; the two words share samples, as they do on the disc."""
    lines = {
        "phn": ["0 100 h#", "100 180 iy", "180 250 ax-h", f"250 {length - 3} h#"],
        "wrd": ["100 200 made", "180 250 up"],
        "txt": [f"0 {length} {TEXT}"],
    }
    for kind, rows in lines.items():
        text = "".join(f"{row}\n" for row in rows)
        (folder / cased(f"{name}.{kind}", upper)).write_text(text)


def sphere(samples: np.ndarray, **changes: str) -> bytes:
    """Write a NIST sphere file byte by byte, with the header that TIMIT has.

    Args:
        samples: `[sample]` int16.
        changes: header fields to set otherwise, or to add, with their type: `-i 5`.
    """
    fields = {
        "database_id": "-s5 TIMIT",
        "database_version": "-s3 1.0",
        "utterance_id": "-s8 cjf0_sa1",
        "channel_count": "-i 1",
        "sample_count": f"-i {len(samples)}",
        "sample_rate": f"-i {RATE_HZ}",
        "sample_min": f"-i {samples.min()}",
        "sample_max": f"-i {samples.max()}",
        "sample_n_bytes": "-i 2",
        "sample_byte_format": "-s2 01",
        "sample_sig_bits": "-i 16",
        **changes,
    }
    lines = [f"{name} {value}" for name, value in fields.items()]
    header = "\n".join(["NIST_1A", "   1024", *lines, "end_head", ""])
    return header.encode().ljust(1024, b" ") + samples.astype("<i2").tobytes()
