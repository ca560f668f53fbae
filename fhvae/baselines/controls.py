"""Frames without what may stand in for a voice, or with nothing else.

One session per speaker makes level, channel and room a part of the speaker. How much of mu2's
score rests on them shows when the trained model is fed frames without level or mean spectrum,
without the pauses, or the pauses alone, none of which it ever saw.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from fhvae.baselines.ivector.detector import is_speech
from fhvae.features.normalize import Normalizer
from fhvae.files.packed import Packed


@dataclass(frozen=True)
class Meaning:
    """What normalized frames stand for.

    Attributes:
        normalizer: takes them back to log-mel.
        power: of the magnitudes under the mel sum, `fbank.power`.
        vad_db: below the utterance's loud frames, and more, is a pause.
    """

    normalizer: Normalizer
    power: float
    vad_db: float

    def speech(self, frames: np.ndarray) -> np.ndarray:
        """Tell speech from pauses by the i-vector's detector, `[frame]` bool."""
        return is_speech(self.normalizer.undo(frames) * (2 / self.power), self.vad_db)


def remove_mean(frames: np.ndarray, meaning: Meaning) -> np.ndarray:
    """Subtract from an utterance its own mean spectrum, `[frame, mel]` normalized."""
    del meaning  # the mean of the train frames is 0 after normalization
    return np.asarray(frames - frames.mean(axis=0), np.float32)


def normalize_level(frames: np.ndarray, meaning: Meaning) -> np.ndarray:
    """Bring the mean log energy of an utterance to that of the train frames, `[frame, mel]`.

    All log-mel bands move by one number, as when the recording is made louder or softer.
    """
    normalizer = meaning.normalizer
    log_mel = frames * normalizer.std + normalizer.mean
    louder = normalizer.mean.mean() - log_mel.mean()
    return np.asarray(frames + louder / normalizer.std, np.float32)


def keep_speech(frames: np.ndarray, meaning: Meaning) -> np.ndarray:
    """Cut the pauses out and join what is left, as the i-vector does, `[kept, mel]`."""
    return np.asarray(frames[meaning.speech(frames)], np.float32)


def keep_pauses(frames: np.ndarray, meaning: Meaning) -> np.ndarray:
    """Cut the speech out and join the pauses, `[kept, mel]`."""
    return np.asarray(frames[~meaning.speech(frames)], np.float32)


CONTROLS: Mapping[str, Callable[[np.ndarray, Meaning], np.ndarray]] = {
    "mean_removed": remove_mean,
    "level": normalize_level,
    "speech": keep_speech,
    "pauses": keep_pauses,
}


def change_input(packed: Packed, meaning: Meaning, control: str, least: int) -> Packed:
    """Apply a control of `CONTROLS` to every utterance of a split.

    Args:
        packed: normalized frames.
        meaning: of the frames.
        control: its name.
        least: frames; an utterance with fewer after the change is left out.
    """
    rows, end = np.empty(packed.rows.shape, np.float32), 0  # no control adds frames
    kept, lengths = [], []
    for name, frames in packed.items():
        changed = CONTROLS[control](frames, meaning)
        if len(changed) >= least:
            rows[end : (end := end + len(changed))] = changed
            kept.append(name)
            lengths.append(len(changed))
    counts = np.array(lengths, np.int64)
    return Packed(rows[:end], tuple(kept), np.cumsum(counts) - counts, counts)
