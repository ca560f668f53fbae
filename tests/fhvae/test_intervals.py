"""Intervals over speakers: by hand, against independent trials, properties, coverage."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fhvae.intervals import (
    FEWEST_SPEAKERS,
    Interval,
    draw_counts,
    jackknife,
    leave_one_out,
    mean_interval,
    over_speakers_and_seeds,
    ratio_interval,
    students_t,
    t_interval,
    why_no_interval,
)

ROWS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(any),  # wrong and right of a speaker
    min_size=FEWEST_SPEAKERS,
    max_size=15,
)


def bounds_of(interval):
    return interval.low, interval.high


@pytest.mark.parametrize("speakers", [1, 2, FEWEST_SPEAKERS - 1])
def test_few_speakers_are_neither_drawn_nor_left_out_and_have_a_value_alone(speakers):
    assert draw_counts(speakers, 50, np.random.default_rng(0)).shape == (0, speakers)
    errors, rows = np.arange(speakers) + 1, np.full(speakers, 10)
    for found in (ratio_interval(errors, rows), mean_interval(errors, rows)):
        assert found == Interval((speakers + 1) / 20)
    assert found.metrics("eer") == {"eer": (speakers + 1) / 20}


def test_enough_speakers_have_bounds():
    errors = np.arange(FEWEST_SPEAKERS)
    found = ratio_interval(errors, np.full(FEWEST_SPEAKERS, 10)).metrics("eer")
    assert 0 < found["eer_low"] < found["eer"] < found["eer_high"] < 0.7
    counts = draw_counts(FEWEST_SPEAKERS, 50, np.random.default_rng(0))
    assert (counts.sum(axis=1) == FEWEST_SPEAKERS).all()


def test_the_reason_says_how_many_are_needed_and_there():
    assert why_no_interval(6) is None
    assert why_no_interval(5) == (
        "an interval needs at least 6 test speakers, there are 5: how much speakers differ is "
        "hardly known from so few"
    )


def test_a_jackknife_by_hand():
    # Six speakers of ten rows, 2, 0, 0, 0, 0, 4 wrong: 6/60; without each 4/50, 6/50 four times,
    # 2/50. About their mean 0.1 the deviations are -1, 1, 1, 1, 1, -3 fiftieths: squares sum to
    # 14 / 2500 and their squares to 86 / 2500^2. Error: sqrt(5/6 14) / 50; speakers behind it:
    # 14^2 / 86 = 2.279; the harmonic mean of that and 5 is 3.131.
    errors, rows = np.array([2, 0, 0, 0, 0, 4]), np.full(6, 10)
    found = jackknife(leave_one_out(errors, rows))
    assert found.error == pytest.approx(np.sqrt(70 / 6) / 50)
    assert found.behind == pytest.approx(14**2 / 86)
    # As many independent trials as vary so: 0.1 0.9 / (70/6 / 2500) = 19.286. At the bounds r,
    # |0.1 - r| / sqrt(r (1 - r) / 19.286) is Student's t with 3.131 degrees: between those of 3
    # and 4, 3.1824 and 2.7764, near the former, and the same on both sides.
    bounds = ratio_interval(errors, rows)
    assert bounds.value == 0.1
    away = [abs(0.1 - end) / np.sqrt(end * (1 - end) / 19.2857) for end in bounds_of(bounds)]
    assert away[0] == pytest.approx(away[1], rel=1e-6)
    assert 3.08 < away[0] < 3.1824


def test_a_difference_by_hand():
    # Deviations 3, 1, 0, -1, -1, -2 tenths: error sqrt(5/6 16) / 10; t of 5 degrees is 2.5706.
    found = t_interval(0.3, 0.3 + np.array([0.3, 0.1, 0.0, -0.1, -0.1, -0.2]))
    reach = 2.570582 * np.sqrt(40 / 3) / 10
    assert (found.low, found.high) == pytest.approx((0.3 - reach, 0.3 + reach), rel=1e-6)


def test_speakers_of_one_row_are_independent_trials():
    """The jackknife variance of a share is v (1 - v) / (S - 1): Wilson's interval of S - 1."""
    right = np.array([1] * 30 + [0] * 10)
    found = ratio_interval(right, np.ones(40))
    # Deviations 10 and -30: (30 100 + 10 900)^2 / (30 10^4 + 10 900^2) = 17.14 speakers.
    t = students_t(2 / (1 / 39 + 1 / (12000**2 / 8_400_000)))
    away = [(end - 0.75) / np.sqrt(end * (1 - end) / 39) for end in bounds_of(found)]
    assert away == pytest.approx([-t, t])
    # Wilson's own for 30 of 40, with the normal quantile, is 0.598 to 0.858.
    assert bounds_of(found) == pytest.approx((0.598, 0.858), abs=0.015)


def test_speakers_all_alike_are_not_surer_than_independent_trials():
    """No variance between speakers: as many trials as there are, 400, and not one more."""
    found = ratio_interval(np.full(8, 5), np.full(8, 50))
    away = [(end - 0.1) / np.sqrt(end * (1 - end) / 400) for end in bounds_of(found)]
    assert away == pytest.approx([-2.364624, 2.364624], rel=1e-6)  # t of 7 degrees


def test_without_an_error_each_speaker_is_one_trial():
    rate = ratio_interval(np.zeros(20), np.full(20, 50))
    square = 2.093024**2  # of t with 19 degrees
    assert bounds_of(rate) == pytest.approx((0, square / (20 + square)), rel=1e-6)
    certain = ratio_interval(np.full(20, 50), np.full(20, 50))
    assert (certain.low, certain.value, certain.high) == pytest.approx((1 - rate.high, 1, 1))


def test_a_tenth_of_a_speakers_rows_in_one_block_count_as_one():
    """The same errors on one speaker leave far less known than spread over all."""
    rows = np.full(10, 20)
    spread = ratio_interval(np.full(10, 2), rows)
    heaped = ratio_interval(np.array([20] + [0] * 9), rows)
    assert spread.value == heaped.value == 0.1
    assert heaped.high - heaped.low > 3 * (spread.high - spread.low)


@given(ROWS, st.integers(0, 1000))
def test_the_value_is_inside_and_the_order_of_speakers_tells_nothing(rows, seed):
    wrong, right = np.array(rows).T
    found = ratio_interval(wrong, wrong + right)
    assert 0 <= found.low <= found.value <= found.high <= 1
    order = np.random.default_rng(seed).permutation(len(rows))
    again = ratio_interval(wrong[order], (wrong + right)[order])
    assert (again.low, again.high) == pytest.approx((found.low, found.high), rel=1e-9)


@given(ROWS)
def test_right_and_wrong_are_the_same_question(rows):
    wrong, right = np.array(rows).T
    rate, share = (ratio_interval(one, wrong + right) for one in (wrong, right))
    assert (1 - share.high, 1 - share.low) == pytest.approx((rate.low, rate.high), abs=1e-9)


@given(ROWS, st.floats(-3, 3), st.floats(0.1, 5))
def test_what_is_no_rate_moves_with_its_unit(rows, shift, scale):
    values, weights = np.array(rows).T + np.array([[0], [1]])
    assume(np.ptp(values / weights) > 0.01)
    found = mean_interval(values, weights)
    moved = mean_interval(scale * values + shift * weights, weights)
    for name in ("value", "low", "high"):
        expected = scale * getattr(found, name) + shift
        assert getattr(moved, name) == pytest.approx(expected, abs=1e-6)


def test_nothing_to_divide_by_without_one_speaker_is_no_interval():
    rows = np.array([4, 0, 0, 0, 0, 0])
    assert ratio_interval(np.array([1, 0, 0, 0, 0, 0]), rows) == Interval(0.25)


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


def test_one_training_keeps_its_interval():
    found = over_speakers_and_seeds([Interval(0.1, 0.07, 0.16)])
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.07, 0.16))


def test_equal_trainings_have_the_interval_of_each():
    found = over_speakers_and_seeds([Interval(0.1, 0.07, 0.16)] * 4)
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.07, 0.16))


def test_without_spread_over_speakers_it_is_that_of_one_more_training():
    # 1, 2, 6: mean 3, variance 7; one more training varies by 7 (1 + 1/3), t of 2 is 4.302653.
    found = over_speakers_and_seeds([Interval(value, value, value) for value in (1.0, 2.0, 6.0)])
    reach = 4.302653 * np.sqrt(7 * 4 / 3)
    assert (found.value, found.low, found.high) == pytest.approx((3, 3 - reach, 3 + reach))


def test_variances_over_speakers_and_seeds_add_up():
    # Both variances 4 (half-widths 2 1.959964; seeds 0 and 2.309401: variance 8/3, times 1.5):
    # the sum 8 has (8 / 4)^2 = 4 times the one degree of freedom of the seeds: t of 4, 2.776445.
    half, step = 2 * 1.959964, np.sqrt(16 / 3)
    found = over_speakers_and_seeds([Interval(at, at - half, at + half) for at in (0.0, step)])
    reach = 2.776445 * np.sqrt(8)
    assert (found.low, found.high) == pytest.approx((step / 2 - reach, step / 2 + reach), rel=1e-5)


def test_a_pooled_rate_stays_a_rate_and_lacks_bounds_where_a_training_does():
    found = over_speakers_and_seeds(
        [Interval(0.01, 0.0, 0.9), Interval(0.3, 0.1, 0.99)], (0.0, 1.0)
    )
    assert (found.low, found.high) == (0, 1)
    assert over_speakers_and_seeds([Interval(0.1, 0.0, 0.2), Interval(0.3)]) == Interval(0.2)


def speakers_rates(random, speakers):
    """Rates of speakers whose log odds vary as those of a recognizer do."""
    return 1 / (1 + np.exp(2.6 - 0.6 * random.normal(size=speakers)))


@pytest.mark.slow
@pytest.mark.parametrize(("speakers", "most"), [(6, 1.0), (12, 0.985), (24, 0.98), (100, 0.975)])
def test_rates_of_unequal_speakers_are_covered(speakers, most):
    """Nominal 95 %; of 6 speakers honestly too wide (decision 0019)."""
    random = np.random.default_rng(speakers)
    truth = speakers_rates(random, 400_000).mean()
    rows, covered = np.full(speakers, 40), []
    for _ in range(1500):
        found = ratio_interval(random.binomial(rows, speakers_rates(random, speakers)), rows)
        covered.append(found.low <= truth <= found.high)
    assert 0.93 <= np.mean(covered) <= most


@pytest.mark.slow
def test_one_more_training_is_covered():
    """Five trainings on the same 24 speakers; trainings differ as much as a mean over speakers."""
    random, covered = np.random.default_rng(4), []
    for _ in range(1500):
        speakers, seeds = random.normal(size=24), 0.2 * random.normal(size=6)
        own = speakers + seeds[:5, None] + 0.3 * random.normal(size=(5, 24))
        found = over_speakers_and_seeds([mean_interval(one, np.ones(24)) for one in own])
        covered.append(found.low <= seeds[5] <= found.high)
    assert 0.93 <= np.mean(covered) <= 0.98
