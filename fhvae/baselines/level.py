"""Frames without what may stand in for a voice: the level, or the whole mean spectrum.

One session per speaker makes level and channel a part of the speaker. How much of mu2's score
rests on them shows when the trained model is fed frames without them, which it never saw.
"""

from collections.abc import Callable, Mapping

import numpy as np

from fhvae.features.normalize import Normalizer
from fhvae.files.packed import Packed


def remove_mean(frames: np.ndarray, normalizer: Normalizer) -> np.ndarray:
    """Subtract from an utterance its own mean spectrum, `[frame, mel]` normalized."""
    del normalizer  # the mean of the train frames is 0 after normalization
    return np.asarray(frames - frames.mean(axis=0), np.float32)


def normalize_level(frames: np.ndarray, normalizer: Normalizer) -> np.ndarray:
    """Bring the mean log energy of an utterance to that of the train frames, `[frame, mel]`.

    All log-mel bands move by one number, as when the recording is made louder or softer.
    """
    log_mel = frames * normalizer.std + normalizer.mean
    louder = normalizer.mean.mean() - log_mel.mean()
    return np.asarray(frames + louder / normalizer.std, np.float32)


CONTROLS: Mapping[str, Callable[[np.ndarray, Normalizer], np.ndarray]] = {
    "mean_removed": remove_mean,
    "level": normalize_level,
}


def change_input(packed: Packed, normalizer: Normalizer, control: str) -> Packed:
    """Apply a control of `CONTROLS` to every utterance of a split."""
    change = CONTROLS[control]
    rows = np.empty(packed.rows.shape, np.float32)
    for position, (offset, length) in enumerate(zip(packed.offsets, packed.lengths, strict=True)):
        rows[offset : offset + length] = change(np.asarray(packed[position]), normalizer)
    return Packed(rows, packed.utterance_ids, packed.offsets, packed.lengths)
