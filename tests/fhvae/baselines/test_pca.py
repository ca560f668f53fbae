"""PCA of segments, against a covariance that is known."""

import numpy as np
import pytest

from fhvae.baselines.pca import Pca, apply_pca, fit_pca, read_pca, segment_rows, write_pca
from fhvae.errors import ArtifactError
from fhvae.files.packed import Packed

FRAMES, MELS = 4, 3


def packed(lengths: list[int], seed: int = 0) -> Packed:
    """Frames that move along one direction of mel bands, the same at every frame of a segment."""
    random = np.random.default_rng(seed)
    direction = np.array([2.0, -1.0, 2.0]) / 3
    rows = [
        np.outer(np.full(length, random.normal() * 5), direction)
        + 0.1 * random.normal(size=(length, MELS))
        for length in lengths
    ]
    offsets = np.cumsum(lengths) - np.array(lengths)
    ids = tuple(f"u{place:03d}" for place in range(len(lengths)))
    return Packed(np.concatenate(rows).astype(np.float32), ids, offsets, np.array(lengths))


def test_the_first_direction_is_the_one_along_which_segments_vary():
    pca = fit_pca(packed([FRAMES] * 300), FRAMES, 2, 2, np.random.default_rng(1))
    planted = np.tile(np.array([2.0, -1.0, 2.0]) / 3, FRAMES) / np.sqrt(FRAMES)
    assert abs(planted @ pca.directions[:, 0]) > 0.999
    np.testing.assert_allclose(pca.directions.T @ pca.directions, np.eye(2), atol=1e-5)


def test_codes_of_the_fitted_segments_have_mean_zero_and_falling_variance():
    frames = packed([11, 7, 20])
    pca = fit_pca(frames, FRAMES, FRAMES, 5, np.random.default_rng(1))
    starts = np.array([0, 4, 11, 18, 22, 26, 30, 34])  # the grid of three utterances
    codes = apply_pca(pca, segment_rows(frames, starts, FRAMES))
    assert codes.shape == (8, 5)
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-5)
    assert (np.diff(codes.var(axis=0)) <= 1e-6).all()


def test_a_small_split_gives_as_many_directions_as_it_has():
    pca = fit_pca(packed([4, 4]), FRAMES, FRAMES, 9, np.random.default_rng(1))
    assert pca.directions.shape == (FRAMES * MELS, 2)


def test_it_comes_back_from_its_file(tmp_path):
    pca = fit_pca(packed([9, 8]), FRAMES, 1, 3, np.random.default_rng(1))
    write_pca(tmp_path / "pca.safetensors", pca)
    again = read_pca(tmp_path / "pca.safetensors")
    np.testing.assert_array_equal(again.mean, pca.mean)
    np.testing.assert_array_equal(again.directions, pca.directions)


def test_a_missing_and_a_foreign_file_are_told(tmp_path):
    with pytest.raises(ArtifactError, match="must exist; rerun the stage baselines"):
        read_pca(tmp_path / "none.safetensors")
    write_pca(tmp_path / "pca.safetensors", Pca(np.zeros(2), np.zeros((2, 1))))
    (tmp_path / "pca.safetensors").write_bytes(b"something else")
    with pytest.raises(ArtifactError, match="must be a safetensors file"):
        read_pca(tmp_path / "pca.safetensors")
