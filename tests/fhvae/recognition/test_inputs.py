"""Inputs: rows at the same frames for all of them, standardized; what is missing or broken."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.baselines.pca import Pca
from fhvae.errors import ArtifactError
from fhvae.files.packed import PackedWriter
from fhvae.recognition.inputs import (
    Input,
    all_dimensions,
    extend,
    first_dimensions,
    frame_inputs,
    measure_normalizer,
    pca_rows,
    stacked_rows,
    windows,
)
from fhvae.recognition.labels import row_count
from fhvae.recognition.matrix import FramePaths


def numbered(frames: int, mels: int = 3) -> np.ndarray:
    """Frames that hold their own number in every band."""
    return np.repeat(np.arange(frames, dtype=np.float32)[:, None], mels, axis=1)


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 25))
def test_row_k_is_centered_on_frame_k_times_shift(frames, shift, window):
    cut = windows(numbered(frames), window, shift)
    assert cut.shape == (row_count(frames, shift), window, 3)
    center = (window - 1) // 2
    assert cut[:, center, 0].tolist() == list(range(0, frames, shift))


@given(st.integers(1, 60), st.integers(1, 9))
def test_fbank_rows_hold_every_frame_and_invent_none(frames, shift):
    rows = stacked_rows(numbered(frames, mels=1), window=shift, shift=shift)
    center = (shift - 1) // 2
    wanted = np.arange(rows.size) - center
    assert rows.flatten().tolist() == np.clip(wanted, 0, frames - 1).tolist()


def test_edge_frames_are_repeated_beyond_both_ends():
    cut = windows(numbered(5), window=4, shift=2)[:, :, 0]
    assert cut.tolist() == [[0, 0, 1, 2], [1, 2, 3, 4], [3, 4, 4, 4]]
    assert extend(numbered(5), 4, 2)[:, 0].tolist() == [0, 0, 1, 2, 3, 4, 4, 4]


def test_all_frames_of_the_window_are_stacked_in_time_order():
    frames = np.arange(12, dtype=np.float32).reshape(4, 3)
    rows = stacked_rows(frames, window=3, shift=3)
    assert rows.tolist() == [[0, 1, 2, 0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11, 9, 10, 11]]


def test_pca_rows_are_projections_of_the_windows():
    frames = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    random = np.random.default_rng(1)
    pca = Pca(random.normal(size=12).astype(np.float32), random.normal(size=(12, 2)))
    rows = pca_rows(frames, pca, window=4, shift=2)
    by_hand = (frames[1:5].flatten() - pca.mean) @ pca.directions  # row 1: frames 1 to 4
    assert rows.shape == (4, 2)
    assert rows[1] == pytest.approx(by_hand, abs=1e-5)


def test_stored_rows_are_cut_to_their_first_dimensions():
    rows = np.arange(10).reshape(2, 5)
    assert first_dimensions(rows, 2).tolist() == [[0, 1], [5, 6]]
    assert all_dimensions(rows).tolist() == rows.tolist()


def write(stem, values):
    with PackedWriter(stem, "float32", next(iter(values.values())).shape[1:]) as writer:
        for name, rows in values.items():
            writer.append(name, rows)


@pytest.fixture
def paths(tmp_path):
    found = FramePaths(tmp_path / "fbank", tmp_path / "train", tmp_path / "test")
    random = np.random.default_rng(0)
    for stem in (found.clean / "train", found.train_domains / "noise10" / "train"):
        write(stem, {"a": random.normal(3, 2, (5, 4)), "b": random.normal(size=(9, 4))})
    for domain in ("noise0", "noise10", "noise20", "room"):
        write(found.test_domains / domain / "test", {"c": np.ones((3, 4))})
    return found


def test_each_side_has_its_file(paths):
    assert paths.stem("clean", "test") == paths.clean / "test"
    assert paths.stem("room", "test") == paths.test_domains / "room" / "test"
    assert paths.stem("room", "dev") == paths.train_domains / "room" / "dev"


def test_domains_are_listed_from_little_noise_to_much(paths):
    assert paths.domains("test") == ["noise20", "noise10", "noise0", "room"]
    assert paths.domains("train") == ["noise10"]


def test_a_missing_folder_of_domains_names_the_stage_to_run(tmp_path):
    with pytest.raises(ArtifactError, match="must exist; rerun the stage domains"):
        FramePaths(tmp_path, tmp_path / "no", tmp_path / "no").domains("train")


def test_train_rows_have_mean_0_and_deviation_1_after_scaling(paths):
    reader = Input("fbank", paths, all_dimensions).open("clean", "train")
    normalizer = measure_normalizer(reader, ["a", "b"])
    scaled = normalizer.apply(np.concatenate([reader.rows("a"), reader.rows("b")]))
    assert scaled.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-5)
    assert scaled.std(axis=0) == pytest.approx(np.ones(4), abs=1e-5)
    assert reader.length("b") == 9


def test_a_constant_dimension_is_centered_and_not_blown_up(paths):
    reader = Input("fbank", paths, all_dimensions).open("room", "test")
    assert measure_normalizer(reader, ["c"]).apply(reader.rows("c")).tolist() == [[0.0] * 4] * 3


def test_an_utterance_that_is_missing_is_named(paths):
    with pytest.raises(ArtifactError, match="utterance zz must be in every domain"):
        Input("fbank", paths, all_dimensions).open("clean", "train").rows("zz")


def test_an_utterance_with_nan_is_named(paths):
    write(paths.clean / "dev", {"bad": np.zeros((2, 4))})
    np.load(paths.clean / "dev.npy", mmap_mode="r+")[1, 2] = np.nan
    with pytest.raises(ArtifactError, match=r"utterance bad.* must be finite"):
        Input("fbank", paths, all_dimensions).open("clean", "dev").rows("bad")


def test_inputs_without_a_model_have_equally_many_rows(paths):
    pca = Pca(np.zeros(20, np.float32), np.eye(20, 3, dtype=np.float32))
    inputs = frame_inputs(paths, pca, window=5, shift=2)
    shapes = {one.name: one.open("clean", "train").rows("b").shape for one in inputs}
    assert shapes == {"fbank": (5, 8), "stacked": (5, 20), "pca": (5, 3)}


def test_a_pca_of_other_segments_is_refused(paths):
    pca = Pca(np.zeros(24, np.float32), np.eye(24, 3, dtype=np.float32))
    with pytest.raises(ArtifactError, match="segments of 5 frames and 4 mel bands, it has 24"):
        frame_inputs(paths, pca, window=5, shift=2)
