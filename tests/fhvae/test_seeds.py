"""Named random streams: repeatable, independent of each other, different by seed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fhvae.seeds import generator, stream_seed

NAMES = st.lists(st.one_of(st.text("abc", max_size=3), st.integers(0, 20)), max_size=3)


def draws(*arguments):
    return generator(*arguments).random(20)


def test_equal_arguments_give_equal_draws():
    np.testing.assert_array_equal(draws(3, "trials", 7), draws(3, "trials", 7))


def test_other_seed_or_name_gives_other_draws():
    streams = [draws(3, "trials"), draws(4, "trials"), draws(3, "train"), draws(3, "trials", 0)]
    for place, first in enumerate(streams):
        for second in streams[place + 1 :]:
            assert not np.isclose(first, second).any()


def test_streams_are_not_correlated():
    table = np.array([generator(0, "speaker", number).normal(size=2000) for number in range(12)])
    off_diagonal = np.corrcoef(table)[~np.eye(12, dtype=bool)]
    assert np.abs(off_diagonal).max() < 0.1  # 4.5 standard errors


def test_drawing_from_one_stream_moves_no_other():
    before = draws(0, "b")
    first = generator(0, "a")
    first.random(1000)
    np.testing.assert_array_equal(draws(0, "b"), before)


@given(first=NAMES, second=NAMES)
def test_names_do_not_run_together(first, second):
    """("ab", "c") and ("a", "bc") are two streams."""
    same = [str(part) for part in first] == [str(part) for part in second]
    assert (stream_seed(0, *first) == stream_seed(0, *second)) == same


def test_the_seed_is_64_bits_wide():
    seeds = [stream_seed(0, number) for number in range(200)]
    assert len(set(seeds)) == 200
    assert 2**63 < max(seeds) < 2**64
