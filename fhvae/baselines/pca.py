"""PCA of whole segments: what a linear code of the size of z1 keeps."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fhvae.errors import ArtifactError
from fhvae.files.packed import Packed
from fhvae.files.tensors import Kind, read_tensors, write_tensors
from fhvae.segments import grid_segments

PCA_FILE = "pca.safetensors"
MOST_SEGMENTS = 20_000  # a seeded sample beyond; the covariance is well known long before
KINDS = {"mean": Kind("float32", "value"), "directions": Kind("float32", "value direction")}


@dataclass(frozen=True)
class Pca:
    """Principal directions of train segments.

    Attributes:
        mean: `[frame * mel]` float32, of the flattened segments.
        directions: `[frame * mel, direction]` float32, orthonormal, the widest first.
    """

    mean: np.ndarray
    directions: np.ndarray


def segment_rows(packed: Packed, starts: np.ndarray, segment_frames: int) -> np.ndarray:
    """Copy segments out of packed frames, `[segment, frame, mel]` float32.

    Args:
        packed: frames of all utterances.
        starts: `[segment]`, first row of each segment in the packed array.
        segment_frames: frames in a segment.
    """
    return packed.take(starts[:, None] + np.arange(segment_frames))


def fit_pca(
    packed: Packed, segment_frames: int, shift: int, dimensions: int, random: np.random.Generator
) -> Pca:
    """Find the widest directions of train segments.

    Args:
        packed: normalized frames of the train split.
        segment_frames: frames in a segment.
        shift: frames between the starts of two segments.
        dimensions: directions to keep; of a small split, as many as it has.
        random: which segments are taken where there are more than `MOST_SEGMENTS`.
    """
    from sklearn.decomposition import PCA

    starts = grid_segments(packed.offsets, packed.lengths, segment_frames, shift).starts
    chosen = np.sort(random.permutation(len(starts))[:MOST_SEGMENTS])
    segments = segment_rows(packed, starts[chosen], segment_frames)
    flat = segments.reshape(len(segments), -1).astype(np.float64)
    kept = min(dimensions, *flat.shape)
    pca = PCA(kept, svd_solver="covariance_eigh").fit(flat)
    return Pca(pca.mean_.astype(np.float32), pca.components_.T.astype(np.float32))


def apply_pca(pca: Pca, segments: np.ndarray) -> np.ndarray:
    """Project segments `[segment, frame, mel]` to codes `[segment, direction]` float32.

    Raises:
        ArtifactError: the PCA is of segments of another size.
    """
    flat = segments.reshape(len(segments), -1)
    if flat.shape[1] != len(pca.mean):
        raise ArtifactError(
            f"the PCA must be of segments of {flat.shape[1]} values, it is of {len(pca.mean)}; "
            "rerun the stage baselines"
        )
    return np.asarray((flat - pca.mean) @ pca.directions, np.float32)


def write_pca(path: Path, pca: Pca) -> None:
    """Write mean and directions; equal ones give equal bytes."""
    write_tensors(path, {"mean": pca.mean, "directions": pca.directions})


def read_pca(path: Path) -> Pca:
    """Read mean and directions.

    Raises:
        ArtifactError: the file is missing or is not one of ours.
    """
    return Pca(**read_tensors(path, KINDS, "baselines").arrays)
