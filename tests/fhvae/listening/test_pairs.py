"""Pairs keep what is promised; intervals widen with what speakers differ in."""

import numpy as np
import pytest

from fhvae.errors import ListeningError
from fhvae.listening.pairs import Pair, draw_pairs, mean_over_pairs

SEXES = {f"s{number:02d}": "FM"[number % 2] for number in range(12)}


@pytest.mark.parametrize("rounds", [1, 3])
def test_each_round_is_a_derangement_half_of_one_sex(rounds):
    drawn = draw_pairs(SEXES, rounds, np.random.default_rng(5))
    assert len(set(drawn)) == len(drawn) == 12 * rounds
    for start in range(0, len(drawn), 12):
        one = drawn[start : start + 12]
        assert {pair.source for pair in one} == {pair.target for pair in one} == set(SEXES)
        assert all(pair.source != pair.target for pair in one)
        assert sum(SEXES[pair.source] == SEXES[pair.target] for pair in one) == 6


def test_an_odd_number_comes_as_near_to_half_as_it_can():
    sexes = {name: sex for name, sex in list(SEXES.items())[:7]}
    drawn = draw_pairs(sexes, 2, np.random.default_rng(5))
    for start in (0, 7):
        alike = sum(sexes[pair.source] == sexes[pair.target] for pair in drawn[start : start + 7])
        assert alike in (3, 4)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ListeningError, match="of 2 test speakers there are no more"):
        draw_pairs({"a": "F", "b": "F"}, 2, np.random.default_rng(5))


@pytest.mark.parametrize(
    ("sexes", "alike"), [("FMFMFM", 2), ("FFFFF", 5), ("FFFFFM", 4), ("FM", 0)]
)
def test_other_speakers_come_as_near_to_half_as_they_can(sexes, alike):
    """Pairs of two sexes come by twos; six speakers have two or four of one."""
    known = {f"s{number}": sex for number, sex in enumerate(sexes)}
    drawn = draw_pairs(known, 1, np.random.default_rng(5))
    found = sum(known[pair.source] == known[pair.target] for pair in drawn)
    assert abs(2 * found - len(sexes)) == abs(2 * alike - len(sexes))


def ring(count):
    return [Pair(f"s{number}", f"s{(number + 1) % count}") for number in range(count)]


def test_a_mean_over_pairs_is_the_ratio_of_sums():
    pairs = ring(7)
    found = mean_over_pairs(pairs, np.arange(7.0), np.array([1, 2, 3, 4, 5, 6, 7]))
    assert found.value == pytest.approx(21 / 28)
    assert mean_over_pairs(pairs, np.arange(7.0)).value == 3.0


def test_equal_values_have_no_width():
    found = mean_over_pairs(ring(9), np.full(9, 0.25))
    assert found.low == pytest.approx(0.25)
    assert found.high == pytest.approx(0.25)


def test_few_speakers_have_no_interval():
    assert mean_over_pairs(ring(4), np.arange(4.0)).low is None


@pytest.mark.slow
def test_the_interval_covers_where_sources_and_targets_differ():
    """Effects of source, target and pair of known size; 95 % hold the mean, or more."""
    random = np.random.default_rng(11)
    names = {f"s{number:02d}": "FM"[number % 2] for number in range(24)}
    pairs = draw_pairs(names, 2, random)
    held = 0
    for _ in range(200):
        source, target = (dict(zip(names, random.normal(size=24), strict=True)) for _ in "st")
        values = np.array([source[p.source] + target[p.target] for p in pairs])
        found = mean_over_pairs(pairs, values + random.normal(scale=0.5, size=len(pairs)))
        held += found.low <= 0 <= found.high
    assert held >= 180
