"""Where the frames of a condition lie, and how an input turns them into rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from fhvae.artifacts import Packed, read_packed
from fhvae.controls.pca import Pca
from fhvae.domains.order import by_noise
from fhvae.errors import ArtifactError
from fhvae.recognition.rows import MakeRows, pca_rows, stacked_rows

CLEAN = "clean"  # the corpus as it is; every other domain is a copy of it


@dataclass(frozen=True)
class FramePaths:
    """Packed frames, or packed rows, of every domain and split.

    Attributes:
        clean: folder of `<split>`.
        train_domains: folder of `<domain>/train` and `<domain>/dev`.
        test_domains: folder of `<domain>/test`.
    """

    clean: Path
    train_domains: Path
    test_domains: Path

    def stem(self, domain: str, split: str) -> Path:
        """Find the packed file of a domain and split."""
        if domain == CLEAN:
            return self.clean / split
        return (self.test_domains if split == "test" else self.train_domains) / domain / split

    def domains(self, split: str) -> list[str]:
        """Name the domains that exist beside clean, from little noise to much.

        Raises:
            ArtifactError: there is no folder of domains.
        """
        folder = self.test_domains if split == "test" else self.train_domains
        if not folder.is_dir():
            raise ArtifactError(f"{folder} must exist; rerun the stage domains")
        names = [path.parent.name for path in folder.glob(f"*/{split}.csv")]
        return sorted(names, key=by_noise)


@dataclass(frozen=True)
class Input:
    """One kind of input of the recogniser.

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
        return RowReader(read_packed(self.paths.stem(domain, split)), self.make_rows)


class RowReader:
    """Rows of the utterances of one domain and split, read when asked for."""

    def __init__(self, packed: Packed, make_rows: MakeRows) -> None:
        self._packed = packed
        self._make_rows = make_rows
        self._positions = {name: place for place, name in enumerate(packed.utterance_ids)}

    def __contains__(self, utterance_id: str) -> bool:
        """Tell whether an utterance is there."""
        return utterance_id in self._positions

    def length(self, utterance_id: str) -> int:
        """Tell how long an utterance is, in what the file holds; longer ones have more rows."""
        return int(self._packed.lengths[self._positions[utterance_id]])

    def rows(self, utterance_id: str) -> np.ndarray:
        """Read the rows of one utterance, `[row, dimension]` float32.

        Raises:
            ArtifactError: it is not there, or a value is NaN or infinite.
        """
        if utterance_id not in self._positions:
            raise ArtifactError(
                f"utterance {utterance_id} must be in every domain and is missing in one; "
                "rerun the stages domains and recognize"
            )
        rows = self._make_rows(np.asarray(self._packed[self._positions[utterance_id]]))
        if not np.isfinite(rows).all():
            raise ArtifactError(f"rows of utterance {utterance_id} must be finite; rerun fbank")
        return rows


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation per dimension of an input, of the source condition's train rows.

    Attributes:
        mean, std: `[dimension]` float32; a constant dimension has `std` 1.
    """

    mean: np.ndarray
    std: np.ndarray

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """Standardize rows, `[row, dimension]`."""
        return np.asarray((rows - self.mean) / self.std, np.float32)


def measure_scale(reader: RowReader, utterance_ids: Iterable[str]) -> Scale:
    """Measure mean and standard deviation over utterances, one at a time."""
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for utterance_id in utterance_ids:
        rows = reader.rows(utterance_id)
        count += len(rows)
        total = total + rows.sum(axis=0, dtype=np.float64)
        squares = squares + np.einsum("rd,rd->d", rows, rows, dtype=np.float64)
    mean = total / count
    variance = squares / count - mean**2
    std = np.sqrt(np.where(variance > 1e-10, variance, 1.0))
    return Scale(mean.astype(np.float32), std.astype(np.float32))


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
    mels = read_packed(paths.stem(CLEAN, "train")).rows.shape[1]
    if len(pca.mean) != window * mels:
        raise ArtifactError(
            f"the PCA must be of segments of {window} frames and {mels} mel bands, "
            f"it has {len(pca.mean)} inputs; rerun the stage controls"
        )
    return [
        Input("fbank", paths, partial(stacked_rows, window=shift, shift=shift)),
        Input("stacked", paths, partial(stacked_rows, window=window, shift=shift)),
        Input("pca", paths, partial(pca_rows, pca=pca, window=window, shift=shift)),
    ]
