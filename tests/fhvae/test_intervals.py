"""Intervals over speakers, and the number of speakers below which there are none."""

import numpy as np
import pytest

from fhvae.intervals import (
    FEWEST_SPEAKERS,
    Interval,
    draw_counts,
    percentile_interval,
    ratio_interval,
    why_no_interval,
)


@pytest.mark.parametrize("speakers", [1, 2, FEWEST_SPEAKERS - 1])
def test_few_speakers_are_not_drawn_and_have_a_value_alone(speakers):
    counts = draw_counts(speakers, 50, np.random.default_rng(0))
    assert counts.shape == (0, speakers)
    found = ratio_interval(np.arange(speakers) + 1, np.full(speakers, 10), counts)
    assert found == Interval((speakers + 1) / 20)
    assert found.metrics("eer") == {"eer": (speakers + 1) / 20}


def test_enough_speakers_have_bounds():
    counts = draw_counts(FEWEST_SPEAKERS, 50, np.random.default_rng(0))
    assert (counts.sum(axis=1) == FEWEST_SPEAKERS).all()
    errors = np.arange(FEWEST_SPEAKERS)
    found = ratio_interval(errors, np.full(FEWEST_SPEAKERS, 10), counts).metrics("eer")
    assert 0 < found["eer_low"] < found["eer"] < found["eer_high"] < 0.7


def test_the_reason_says_how_many_are_needed_and_there():
    assert why_no_interval(8) is None
    assert why_no_interval(7) == (
        "an interval needs at least 8 test speakers, there are 7: draws of so few repeat each "
        "other and look far surer than they are"
    )


@pytest.mark.parametrize(
    ("interval", "above", "below"),
    [
        (Interval(0.2, 0.1, 0.3), True, False),
        (Interval(-0.2, -0.3, -0.1), False, True),
        (Interval(0.1, -0.1, 0.3), False, False),
        (Interval(0.1, 0.0, 0.3), False, False),
        pytest.param(Interval(0.9), False, False, id="no-verdict-without-bounds"),
    ],
)
def test_which_side_of_zero(interval, above, below):
    assert (interval.is_above_zero, interval.is_below_zero) == (above, below)
    assert interval.excludes_zero == (above or below)


def test_a_share_of_the_draws_lies_beyond_each_end():
    found = percentile_interval(50.0, np.arange(101.0))
    assert (found.low, found.high) == pytest.approx((2.5, 97.5))
