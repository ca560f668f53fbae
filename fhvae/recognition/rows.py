"""What the recogniser sees: one row per step, on the same grid of centre frames for every input.

Row k of an utterance sits at frame k * shift, for all k that fall into the utterance, so every
input has the same number of rows: ceil(frames / shift). A window of a segment's length lies
around its centre; beyond both ends of the utterance the first and the last frame are repeated.
Labels are those of the whole utterance, so no window can leak one.
"""

from collections.abc import Callable

import numpy as np

from fhvae.controls.pca import Pca, apply_pca

MakeRows = Callable[[np.ndarray], np.ndarray]  # [frame, ...] of one utterance -> [row, dimension]


def row_count(frames: int, shift: int) -> int:
    """Count the rows of an utterance: ceil(frames / shift)."""
    return -(-frames // shift)


def extend(frames: np.ndarray, window: int, shift: int) -> np.ndarray:
    """Repeat the edge frames so that windows at 0, shift, 2 shift, ... are centred on the rows.

    Args:
        frames: `[frame, mel]`.
        window: frames in a window; the centre of an even one is the earlier middle frame.
        shift: frames between two rows.

    Returns:
        `[(rows - 1) * shift + window, mel]`: exactly `rows` windows.
    """
    before = (window - 1) // 2
    length = (row_count(len(frames), shift) - 1) * shift + window
    positions = np.clip(np.arange(length) - before, 0, len(frames) - 1)
    return np.asarray(frames[positions], np.float32)


def windows(frames: np.ndarray, window: int, shift: int) -> np.ndarray:
    """Cut the windows around all rows of an utterance, `[row, frame, mel]`."""
    extended = extend(frames, window, shift)
    cut = np.lib.stride_tricks.sliding_window_view(extended, window, axis=0)[::shift]
    return cut.transpose(0, 2, 1)


def stacked_rows(frames: np.ndarray, window: int, shift: int) -> np.ndarray:
    """Flatten the frames around each row, `[row, frame * mel]`.

    With `window` = `shift` this is the plain FBANK input: each frame once, none left out.
    """
    cut = windows(frames, window, shift)
    return np.asarray(cut.reshape(len(cut), -1), np.float32)


def pca_rows(frames: np.ndarray, pca: Pca, window: int, shift: int) -> np.ndarray:
    """Project the segment around each row on principal directions, `[row, direction]`."""
    return apply_pca(pca, windows(frames, window, shift))


def first_dimensions(rows: np.ndarray, count: int) -> np.ndarray:
    """Take the first `count` dimensions of stored rows."""
    return np.asarray(rows[:, :count], np.float32)


def all_dimensions(rows: np.ndarray) -> np.ndarray:
    """Take stored rows as they are."""
    return np.asarray(rows, np.float32)
