"""Statistics of the training frames: right, stable, invertible, written exactly."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.errors import ArtifactError, CorpusError
from fhvae.features.normalize import (
    Normalizer,
    estimate_normalizer,
    read_normalizer,
    write_normalizer,
)


def frames(count=300, mels=7, seed=0):
    random = np.random.default_rng(seed)
    return (random.normal(size=(count, mels)) * np.arange(1, mels + 1) - 5).astype(np.float32)


def test_known_by_hand():
    normalizer = estimate_normalizer(
        [np.array([[1.0, 10.0], [3.0, 10.5]]), np.array([[5.0, 11.0]])]
    )
    np.testing.assert_allclose(normalizer.mean, [3.0, 10.5])
    np.testing.assert_allclose(normalizer.std, [np.sqrt(8 / 3), np.sqrt(0.5 / 3)])


def test_normalized_frames_have_mean_0_and_std_1():
    rows = frames()
    normalized = estimate_normalizer([rows]).apply(rows)
    assert normalized.dtype == np.float32
    np.testing.assert_allclose(normalized.mean(axis=0, dtype=np.float64), 0, atol=1e-6)
    np.testing.assert_allclose(normalized.std(axis=0, dtype=np.float64), 1, atol=1e-6)


@given(cuts=st.lists(st.integers(0, 300), max_size=6))
def test_chunks_do_not_matter(cuts):
    rows = frames()
    whole = estimate_normalizer([rows])
    parts = estimate_normalizer(np.split(rows, sorted(cuts)))  # empty parts included
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(parts.std, whole.std, rtol=1e-12)


def test_a_large_offset_costs_no_digits():
    """The textbook E[x^2] - E[x]^2 gives rubbish here: 1e16 has steps of 2."""
    rows = np.random.default_rng(1).normal(size=(5000, 3))
    shifted = estimate_normalizer(np.split(rows + 1e8, 50))
    np.testing.assert_allclose(shifted.std, rows.std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(shifted.mean - 1e8, rows.mean(axis=0), atol=1e-6)


@given(
    mean=st.lists(st.floats(-20, 20), min_size=3, max_size=3),
    std=st.lists(st.floats(0.01, 10), min_size=3, max_size=3),
)
def test_undo_takes_apply_back(mean, std):
    normalizer = Normalizer(np.array(mean), np.array(std))
    rows = frames(count=20, mels=3)
    np.testing.assert_allclose(normalizer.undo(normalizer.apply(rows)), rows, atol=2e-5)


@pytest.mark.parametrize("value", [-20.0, -3.3, 0.0])
def test_a_band_that_never_changes_is_named(value):
    rows = frames()
    rows[:, 4] = value
    with pytest.raises(CorpusError, match=rf"band 4 of 7 is {value:.4f} in all 300 frames"):
        estimate_normalizer(np.split(rows, 3))


def test_no_frame_is_a_slip():
    with pytest.raises(ValueError, match="0 frames"):
        estimate_normalizer([np.zeros((0, 7))])


def test_read_equals_written_bit_by_bit(tmp_path):
    written = estimate_normalizer([frames()])
    write_normalizer(tmp_path / "normalizer.json", written)
    back = read_normalizer(tmp_path / "normalizer.json")
    np.testing.assert_array_equal(back.mean, written.mean)
    np.testing.assert_array_equal(back.std, written.std)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"mean": [0.0]}, r"must hold mean and std \('std'\); rerun the stage fbank"),
        ({"mean": ["x"], "std": [1.0]}, "must hold mean and std"),
        ({"mean": [0.0, 1.0], "std": [1.0]}, r"got shapes \(2,\) and \(1,\)"),
        ({"mean": [0.0], "std": [0.0]}, "std above 1e-05 for each mel band"),
        ({"mean": [float("nan")], "std": [1.0]}, "NaN is no number"),
    ],
)
def test_a_broken_file_is_refused(tmp_path, content, message):
    (tmp_path / "normalizer.json").write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match=message):
        read_normalizer(tmp_path / "normalizer.json")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="must exist; rerun the stage"):
        read_normalizer(tmp_path / "normalizer.json")
