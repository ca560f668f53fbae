"""Rows of every input sit at the same frames and cover the utterance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhvae.controls.pca import Pca
from fhvae.recognition.rows import (
    all_dimensions,
    extend,
    first_dimensions,
    pca_rows,
    row_count,
    stacked_rows,
    windows,
)


def numbered(frames: int, mels: int = 3) -> np.ndarray:
    """Frames that hold their own number in every band."""
    return np.repeat(np.arange(frames, dtype=np.float32)[:, None], mels, axis=1)


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 25))
def test_row_k_is_centred_on_frame_k_times_shift(frames, shift, window):
    cut = windows(numbered(frames), window, shift)
    assert cut.shape == (row_count(frames, shift), window, 3)
    centre = (window - 1) // 2
    assert cut[:, centre, 0].tolist() == list(range(0, frames, shift))


@given(st.integers(1, 60), st.integers(1, 9))
def test_fbank_rows_hold_every_frame_and_invent_none(frames, shift):
    rows = stacked_rows(numbered(frames, mels=1), window=shift, shift=shift)
    centre = (shift - 1) // 2
    wanted = np.arange(rows.size) - centre
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
