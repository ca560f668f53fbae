"""Made-up utterances: bursts of noise with pauses, packed as a corpus has them."""

from pathlib import Path

import numpy as np

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
