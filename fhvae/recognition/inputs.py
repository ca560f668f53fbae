"""What the recognizer sees: one row per step, on the same grid of center frames for every input.

Row k of an utterance sits at frame k * shift, for all k that fall into the utterance, so every
input has the same number of rows: ceil(frames / shift). A window of a segment's length lies
around its center; beyond both ends of the utterance the first and the last frame are repeated.
Labels are those of the whole utterance, so no window can leak one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np

from fhvae.baselines.pca import Pca, apply_pca
from fhvae.errors import ArtifactError
from fhvae.features.normalize import Normalizer
from fhvae.files.packed import FRAMES, Packed, read_packed
from fhvae.recognition.labels import row_count
from fhvae.recognition.matrix import CLEAN, FramePaths

ROUNDING = 1e-10  # of the squared mean: a smaller variance is that of equal numbers

MakeRows = Callable[[np.ndarray], np.ndarray]  # [frame, ...] of one utterance -> [row, dimension]


def extend(frames: np.ndarray, window: int, shift: int) -> np.ndarray:
    """Repeat the edge frames so that windows at 0, shift, 2 shift, ... are centered on the rows.

    Args:
        frames: `[frame, mel]`.
        window: frames in a window; the center of an even one is the earlier middle frame.
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


@dataclass(frozen=True)
class Input:
    """One kind of input of the recognizer.

    Attributes:
        name: as in the metrics.
        paths: files that it reads.
        make_rows: from what those files hold for an utterance to `[row, dimension]`; a function
            of a module, or `partial` of one, so that worker processes can have it.
    """

    name: str
    paths: FramePaths
    make_rows: MakeRows

    def open(self, domain: str, split: str) -> "RowReader":
        """Open one domain and split."""
        return RowReader(read_packed(self.paths.stem(domain, split), FRAMES), self.make_rows)


class RowReader:
    """Rows of the utterances of one domain and split, read when asked for."""

    def __init__(self, packed: Packed, make_rows: MakeRows) -> None:
        self._packed = packed
        self._make_rows = make_rows

    def length(self, utterance_id: str) -> int:
        """Tell how long an utterance is, in what the file holds; longer ones have more rows."""
        return int(self._packed.lengths[self._packed.position(utterance_id)])

    def rows(self, utterance_id: str) -> np.ndarray:
        """Read the rows of one utterance, `[row, dimension]` float32.

        Raises:
            ArtifactError: it is not there, or a value is NaN or infinite.
        """
        if utterance_id not in self._packed:
            raise ArtifactError(
                f"utterance {utterance_id} must be in every domain and is missing in one; "
                "rerun the stages domains and recognize"
            )
        rows = self._make_rows(np.asarray(self._packed.of(utterance_id)))
        if not np.isfinite(rows).all():
            raise ArtifactError(f"rows of utterance {utterance_id} must be finite; rerun fbank")
        return rows


def measure_normalizer(reader: RowReader, utterance_ids: Iterable[str]) -> Normalizer:
    """Measure mean and standard deviation over utterances, one at a time, float32.

    A constant dimension, but for what rounding adds, gets a standard deviation of 1.
    """
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for utterance_id in utterance_ids:
        rows = reader.rows(utterance_id)
        count += len(rows)
        total = total + rows.sum(axis=0, dtype=np.float64)
        squares = squares + np.einsum("rd,rd->d", rows, rows, dtype=np.float64)
    mean = total / count
    variance = squares / count - mean**2
    std = np.sqrt(np.where(variance > ROUNDING * mean**2, variance, 1.0))
    return Normalizer(mean.astype(np.float32), std.astype(np.float32))


def frame_inputs(paths: FramePaths, pca: Pca, window: int, shift: int) -> list[Input]:
    """Name the inputs that need no trained FHVAE: fbank, stacked and pca.

    Args:
        paths: normalized frames.
        pca: of segments of `window` frames.
        window: frames in a segment of the model.
        shift: frames between two rows.

    Raises:
        ArtifactError: the PCA was fitted on segments of another length.
    """
    mels = read_packed(paths.stem(CLEAN, "train"), FRAMES).rows.shape[1]
    if len(pca.mean) != window * mels:
        raise ArtifactError(
            f"the PCA must be of segments of {window} frames and {mels} mel bands, "
            f"it has {len(pca.mean)} inputs; rerun the stage baselines"
        )
    return [
        Input("fbank", paths, partial(stacked_rows, window=shift, shift=shift)),
        Input("stacked", paths, partial(stacked_rows, window=window, shift=shift)),
        Input("pca", paths, partial(pca_rows, pca=pca, window=window, shift=shift)),
    ]
