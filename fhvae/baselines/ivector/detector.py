"""The energy detector: which frames of an utterance are speech, which are pauses."""

import numpy as np

LOUD_PERCENTILE = 95  # of frame energies: the utterance's loudness, blind to a single click
SILENCE_DB = -60.0  # noise of one step of int16 is at -59, a tone of full scale near 40


def is_speech(log_energies: np.ndarray, range_db: float) -> np.ndarray:
    """Tell loud frames from pauses by the energy summed over mel bands, `[frame]` bool.

    Args:
        log_energies: `[frame, mel]`, natural logarithm of power.
        range_db: how far below the utterance's loudness a frame still counts as speech.
    """
    energy_db = 10 * np.log10(np.exp(log_energies.astype(np.float64)).mean(axis=1))
    loudness = np.percentile(energy_db, LOUD_PERCENTILE)
    return np.asarray((energy_db > loudness - range_db) & (energy_db > SILENCE_DB))
