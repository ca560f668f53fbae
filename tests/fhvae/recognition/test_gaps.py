"""Gain and cost with numbers worked out by hand, and their ratio by what Fieller's interval is."""

import numpy as np
import pytest

from fhvae.intervals import Interval
from fhvae.recognition.cells import Cell
from fhvae.recognition.gaps import fieller, jackknife_covariance, recovered_gap

T_975 = {2: 4.302653, 7: 2.364624, 10**6: 1.959966}  # of Student's t, as tables have it


pytestmark = pytest.mark.usefixtures("few_speakers_suffice")


def cell(*errors, phones=100):
    speakers = tuple(f"s{place}" for place in range(len(errors)))
    sizes = np.full(len(errors), phones)
    return Cell(speakers, np.array(errors), sizes, {}, np.zeros(1))


def bounds(interval):
    return interval.value, interval.low, interval.high


@pytest.mark.parametrize(
    ("own", "gain", "recovered"),
    [(25, 0.15, 0.5), (40, 0.0, 0.0), (10, 0.3, 1.0), (55, -0.15, -0.5)],
    ids=["half", "nothing", "all", "less-than-nothing"],
)
def test_the_gap_of_hand_numbers(own, gain, recovered):
    """FBANK 40 % mismatched and 10 % matched; all speakers alike, so every interval is a point."""
    gap = recovered_gap(cell(*[40] * 4), cell(*[own] * 4), cell(*[10] * 4))
    assert bounds(gap.cost) == pytest.approx((0.3, 0.3, 0.3))
    assert bounds(gap.gain) == pytest.approx((gain, gain, gain))
    assert bounds(gap.recovered) == pytest.approx((recovered, recovered, recovered))


def test_draws_are_shared_so_that_hard_speakers_do_not_widen_the_interval():
    """Speakers differ by far, but each recovers exactly a quarter; not what is left of it."""
    gap = recovered_gap(cell(30, 90, 50, 70), cell(25, 70, 40, 55), cell(10, 10, 10, 10))
    assert bounds(gap.recovered) == pytest.approx((0.25, 0.25, 0.25))


def test_cost_and_gain_have_intervals_of_their_own():
    """Every speaker costs 20 points and gains 5, whatever the speaker's own level."""
    gap = recovered_gap(cell(30, 90, 50, 70), cell(25, 85, 45, 65), cell(10, 70, 30, 50))
    assert bounds(gap.cost) == pytest.approx((0.2, 0.2, 0.2))
    assert bounds(gap.gain) == pytest.approx((0.05, 0.05, 0.05))


@pytest.mark.parametrize(
    ("mismatched", "topline"),
    [((10, 30, 20, 5), (12, 26, 19, 8)), ((10, 10, 10, 10), (20, 20, 20, 20))],
    ids=["not-beyond-chance", "a-mismatch-that-helps"],
)
def test_without_a_cost_there_is_no_share_of_it(mismatched, topline):
    gap = recovered_gap(cell(*mismatched), cell(9, 9, 9, 9), cell(*topline))
    assert not gap.cost.is_above_zero
    assert gap.recovered is None
    assert gap.gain.low is not None


def test_of_too_few_speakers_there_is_a_cost_but_no_verdict(monkeypatch):
    monkeypatch.setattr("fhvae.intervals.FEWEST_SPEAKERS", 5)
    gap = recovered_gap(cell(*[40] * 4), cell(*[25] * 4), cell(*[10] * 4))
    assert gap.cost == Interval(pytest.approx(0.3))
    assert gap.recovered is None


def test_cells_of_other_speakers_are_the_callers_slip():
    with pytest.raises(ValueError, match="same test speakers"):
        recovered_gap(cell(1, 2), cell(1, 2, 3), cell(1, 2))


def test_the_jackknife_of_means_is_the_covariance_of_the_mean():
    values = np.random.default_rng(1).normal(size=(2, 9))
    left_out = (values.sum(axis=1, keepdims=True) - values) / 8
    np.testing.assert_allclose(jackknife_covariance(*left_out), np.cov(values) / 9)


@pytest.mark.parametrize("freedom", T_975)
def test_a_bound_is_where_the_difference_is_just_not_zero(freedom):
    covariance = np.array([[0.9, 0.3], [0.3, 0.4]])
    found = fieller(3.0, 7.0, covariance, freedom)
    assert found.low < found.value == 3 / 7 < found.high
    for ratio in (found.low, found.high):
        spread = np.array([1, -ratio]) @ covariance @ [1, -ratio]
        assert abs(3 - ratio * 7) == pytest.approx(T_975[freedom] * spread**0.5, rel=1e-5)


def test_with_a_denominator_that_is_known_it_is_students_interval():
    found = fieller(3.0, 8.0, np.array([[0.16, 0.0], [0.0, 0.0]]), 7)
    reach = T_975[7] * 0.4 / 8
    assert (found.low, found.high) == pytest.approx((3 / 8 - reach, 3 / 8 + reach), rel=1e-6)


def test_a_denominator_that_may_be_zero_has_no_ratio():
    assert fieller(3.0, 1.9, np.eye(2), 10**6) is None
    assert fieller(3.0, 2.0, np.eye(2), 10**6) is not None


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Errors of 12 speakers of unequal difficulty; the true share is 0.4."""
    random = np.random.default_rng(2)
    held = []
    for _ in range(600):
        level = random.beta(4, 6, 12)  # PER of FBANK, matched
        rates = level + 0.3 + random.normal(0, 0.05, 12), level
        own = rates[0] - 0.12 + random.normal(0, 0.05, 12)
        cells = [
            cell(*random.binomial(150, rate.clip(0, 1)), phones=150)
            for rate in (rates[0], own, rates[1])
        ]
        gap = recovered_gap(*cells)
        held.append(gap.recovered.low <= 0.4 <= gap.recovered.high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)
