"""Made-up recordings in any number of hours, written as the stage download writes a corpus."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fhvae.corpus.manifest import SAMPLE_RATE_HZ, Recording, Utterance
from fhvae.corpus.signals import at_level, to_int16
from fhvae.corpus.store import write_corpus

SHORTEST_S, LONGEST_S = 2.0, 15.0
SPLITS = ("train",) * 8 + ("dev", "test")  # one utterance in ten each
SPEAKERS = 2  # per split; the least that is allowed
LEVEL_DBFS = -26.0


def shaped_noise(seconds: float, random: np.random.Generator) -> np.ndarray:
    """Make noise that falls by 6 dB per octave and swells like syllables, `[sample]` int16."""
    from scipy.signal import lfilter

    count = round(seconds * SAMPLE_RATE_HZ)
    noise = lfilter([1.0], [1.0, -0.97], random.standard_normal(count, dtype=np.float32))
    syllables = 1.1 + np.sin(2 * np.pi * 4 * np.arange(count) / SAMPLE_RATE_HZ)
    return to_int16(at_level(noise * syllables, LEVEL_DBFS))


def noise_recordings(hours: float, seed: int) -> Iterator[Recording]:
    """Yield recordings of 2 to 15 s until there are so many hours."""
    random = np.random.default_rng(seed)
    total, place = 0.0, 0
    while total < hours * 3600:
        seconds = random.uniform(SHORTEST_S, LONGEST_S)
        split = SPLITS[place % len(SPLITS)]
        speaker = f"{split}{place // len(SPLITS) % SPEAKERS}"
        utterance = Utterance(f"{speaker}-{place:07d}", "", speaker, "", "", split, 0.0)
        yield Recording(utterance, shaped_noise(seconds, random))
        total, place = total + seconds, place + 1


def write_noise_corpus(folder: Path, hours: float, seed: int = 0) -> None:
    """Write a local corpus of noise."""
    write_corpus(folder, noise_recordings(hours, seed))
