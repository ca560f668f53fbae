"""Mean and standard deviation of the training frames: estimate, apply, undo.

One pair per mel band for the whole corpus, as in both of the authors' codes: a mean per
speaker or utterance would take away what z2 is there to find.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fhvae.errors import ArtifactError, CorpusError
from fhvae.files.atomic import read_json, write_json

MIN_STD = 1e-5  # ln units; float32 frames near the floor of -20 have steps of 2e-6
MOST = 1000.0  # ln units; no frame lies further from 0 than the lowest floor (fbank.log_floor)


@dataclass(frozen=True)
class Normalizer:
    """Statistics of the training frames, or of other rows to fit something on.

    Attributes:
        mean: `[mel]` float64, in the unit of the frames.
        std: `[mel]` float64, population standard deviation, above 0.
    """

    mean: np.ndarray
    std: np.ndarray

    def apply(self, frames: np.ndarray) -> np.ndarray:
        """Bring frames `[frame, mel]` to mean 0 and standard deviation 1, float32."""
        return self.standardize(frames).astype(np.float32)

    def standardize(self, values: np.ndarray) -> np.ndarray:
        """Bring `[row, dimension]` to mean 0 and standard deviation 1, in their precision."""
        return np.asarray((values - self.mean) / self.std)

    def undo(self, frames: np.ndarray) -> np.ndarray:
        """Bring normalized frames `[frame, mel]` back to log-mel, float32."""
        restored: np.ndarray = (frames * self.std + self.mean).astype(np.float32)
        return restored


def estimate_normalizer(chunks: Iterable[np.ndarray]) -> Normalizer:
    """Estimate from frames that come in chunks `[frame, mel]` of any length.

    Sums of squares about each chunk's own mean are merged pairwise in float64 (Chan, Golub,
    LeVeque 1983): no difference of two large numbers, whatever the offset of the frames.

    Raises:
        ValueError: there is no frame.
        CorpusError: a mel band is the same in all frames.
    """
    count, mean, squares = 0, np.zeros(()), np.zeros(())
    for chunk in chunks:
        if len(chunk) == 0:
            continue
        frames = np.array(chunk, np.float64)  # a copy, worked on in place: chunks are large
        chunk_mean = frames.mean(axis=0)
        shift, total = chunk_mean - mean, count + len(frames)
        frames -= chunk_mean
        squares = squares + np.square(frames, out=frames).sum(axis=0)
        squares = squares + np.square(shift) * (count * len(frames) / total)
        mean = mean + shift * (len(frames) / total)
        count = total
    if count == 0:
        raise ValueError("cannot normalize by 0 frames")
    std = np.sqrt(squares / count)
    _check_alive(mean, std, count)
    return Normalizer(mean=mean, std=std)


def _check_alive(mean: np.ndarray, std: np.ndarray, count: int) -> None:
    dead = np.flatnonzero(~(std > MIN_STD))
    if len(dead):
        raise CorpusError(
            f"every band of the training frames must vary, band {dead[0]} of {len(std)} is "
            f"{mean[dead[0]]:.4f} in all {count} frames; look for silent recordings or ones of a "
            "lower sample rate"
        )


def write_normalizer(path: Path, normalizer: Normalizer) -> None:
    """Write normalizer.json; numbers come back bit by bit."""
    write_json(path, {"mean": normalizer.mean.tolist(), "std": normalizer.std.tolist()})


def read_normalizer(path: Path, bands: int | None = None) -> Normalizer:
    """Read normalizer.json.

    Args:
        path: of the file.
        bands: that it must hold; None: any number.

    Raises:
        ArtifactError: the file is missing or holds no normalizer.
    """
    return normalizer_of(read_json(path, "fbank"), str(path), bands, "fbank")


def normalizer_of(
    values: Mapping[str, Any], where: str, bands: int | None, stage: str
) -> Normalizer:
    """Read a normalizer out of plain values.

    Args:
        values: `mean` and `std`, a number per mel band each.
        where: they stand, for messages.
        bands: that they must be of; None: any number.
        stage: that wrote them.

    Raises:
        ArtifactError: they are no normalizer.
    """
    try:
        mean, std = (np.array(values[key], np.float64) for key in ("mean", "std"))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ArtifactError(
            f"{where} must hold mean and std ({error!s:.80}); rerun the stage {stage}"
        ) from error
    fits = mean.ndim == 1 and mean.shape == std.shape and bands in (None, len(mean))
    if not (fits and (np.abs([mean, std]) <= MOST).all() and (std > MIN_STD).all()):
        each = "each mel band" if bands is None else f"each of {bands} mel bands"
        size, least = np.abs(mean).max(initial=0), std.min(initial=np.inf)
        values_found = f"means up to {size:g} and stds from {least:g}"
        found = values_found if fits else f"shapes {mean.shape} and {std.shape}"
        raise ArtifactError(
            f"{where} must hold a mean of at most {MOST:g} to either side of 0 and a std above "
            f"{MIN_STD:g} for {each}, got {found}; rerun the stage {stage}"
        )
    return Normalizer(mean=mean, std=std)
