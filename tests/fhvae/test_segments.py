"""Segmentation: counted by hand, and as properties."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fhvae.seeds import generator
from fhvae.segments import gather, grid_segments, random_segments, segment_counts

LENGTHS = st.lists(st.integers(5, 60), min_size=1, max_size=6).map(np.array)


def offsets_of(lengths):
    return np.cumsum(lengths) - lengths


@pytest.mark.parametrize(
    ("length", "shift", "expected"),
    [(20, 8, 1), (27, 8, 1), (28, 8, 2), (100, 20, 5), (99, 20, 4), (100, 1, 81)],
)
def test_counts_by_hand(length, shift, expected):
    assert segment_counts(np.array([length]), 20, shift).tolist() == [expected]


def test_grid_by_hand():
    segments = grid_segments(np.array([0, 11]), np.array([11, 6]), segment_frames=5, shift=3)
    assert segments.starts.tolist() == [0, 3, 6, 11]
    assert segments.utterance.tolist() == [0, 0, 0, 1]


def test_an_utterance_shorter_than_a_segment_is_refused():
    with pytest.raises(ValueError, match="4 frames, a segment has 5"):
        segment_counts(np.array([9, 4]), 5, 2)


@given(lengths=LENGTHS, shift=st.integers(1, 9))
def test_grid_stays_inside_and_covers_all_but_a_tail(lengths, shift):
    offsets = offsets_of(lengths)
    segments = grid_segments(offsets, lengths, 5, shift)
    ends = (offsets + lengths)[segments.utterance]
    assert (segments.starts >= offsets[segments.utterance]).all()
    assert (segments.starts + 5 <= ends).all()
    last = np.array([segments.starts[segments.utterance == u].max() for u in range(len(lengths))])
    assert (offsets + lengths - (last + 5) < shift).all()


@given(lengths=LENGTHS, shift=st.integers(1, 9), seed=st.integers(0, 99))
def test_random_segments_never_cross_utterances_and_are_as_many_as_on_the_grid(
    lengths, shift, seed
):
    offsets = offsets_of(lengths)
    drawn = random_segments(offsets, lengths, 5, shift, generator(seed, "test"))
    ends = (offsets + lengths)[drawn.utterance]
    assert (drawn.starts >= offsets[drawn.utterance]).all()
    assert (drawn.starts + 5 <= ends).all()
    counts = np.bincount(drawn.utterance, minlength=len(lengths))
    assert counts.tolist() == segment_counts(lengths, 5, shift).tolist()


def test_random_starts_reach_the_first_and_the_last_position():
    lengths = np.array([8])
    drawn = random_segments(np.array([0]), np.repeat(lengths, 1), 5, 1, generator(0, "a"))
    many = [
        random_segments(np.array([0]), lengths, 5, 1, generator(seed, "a")).starts
        for seed in range(40)
    ]
    assert set(np.concatenate([drawn.starts, *many]).tolist()) == {0, 1, 2, 3}


def test_same_seed_same_segments_other_seed_others():
    lengths, offsets = np.array([90, 70]), np.array([0, 90])
    first, same, other = (
        random_segments(offsets, lengths, 5, 2, generator(seed, "a")).starts for seed in (1, 1, 2)
    )
    assert (first == same).all()
    assert (first != other).any()


def test_gather_is_time_major_and_exact():
    frames = torch.arange(30 * 7, dtype=torch.float32).view(30, 7)
    batch = gather(frames, torch.tensor([4, 20, 0]), segment_frames=5)
    assert batch.shape == (5, 3, 7)
    for column, start in enumerate((4, 20, 0)):
        assert torch.equal(batch[:, column], frames[start : start + 5])
