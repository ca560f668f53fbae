"""Made-up sounds: bursts of noise with pauses, packed as a corpus has them; recorded noise."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from fhvae.corpus.manifest import SAMPLE_RATE_HZ
from fhvae.features.extraction import Clip
from fhvae.features.fbank import frame_count
from fhvae.files.packed import PackedWriter

HOP_MS = 10.0


def burst(length: int, seed: int, pause_db: float = -50.0, amplitude: float = 0.1) -> np.ndarray:
    """Speak in the middle half, `[sample]` int16; before and after it is `pause_db` softer."""
    random = np.random.default_rng(seed)
    gain = np.full(length, 10 ** (pause_db / 20))
    gain[length // 4 : length - length // 4] = 1.0
    return np.round(amplitude * 32767 * gain * random.standard_normal(length)).astype(np.int16)


def pack(stem: Path, utterances: dict[str, np.ndarray]) -> list[Clip]:
    """Write `<stem>.npy/.csv` and say where each utterance lies."""
    clips, offset = [], 0
    with PackedWriter(stem, "int16") as writer:
        for name, samples in utterances.items():
            writer.append(name, samples)
            frames = frame_count(len(samples), HOP_MS)
            clips.append(Clip(stem, name, offset, len(samples), frames))
            offset += len(samples)
    return clips


def write_noise_folder(folder: Path, sounding: dict[str, float], seconds: float = 1.0) -> Path:
    """Write manifest.csv and a FLAC per noise.

    Args:
        folder: made here.
        sounding: per noise_id the share of its time that is white noise; the rest, at the
            end, is digital silence. Its class is the id up to the first hyphen.
        seconds: length of each.
    """
    folder.mkdir(parents=True)
    length = int(seconds * SAMPLE_RATE_HZ)
    for place, (name, share) in enumerate(sounding.items()):
        noise = 0.1 * np.random.default_rng(place).standard_normal(length)
        noise[int(share * length) :] = 0.0
        soundfile.write(folder / f"{name}.flac", noise, SAMPLE_RATE_HZ)
    rows = [(name, f"{name}.flac", name.split("-")[0]) for name in sounding]
    table = pd.DataFrame(rows, columns=["noise_id", "path", "class"])
    table.to_csv(folder / "manifest.csv", index=False)
    return folder
