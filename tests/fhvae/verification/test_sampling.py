"""Samples of trials: exact size, shares of label and sex, every pair as likely as the next."""

import numpy as np
import pytest

from fhvae.verification.sampling import Candidates, choose_pairs, sex_numbers, share_out

SEXES = ["F", "F", "M", "M", ""]
SPEAKERS = np.repeat(np.arange(5), 4)


def all_candidates():
    sexes = sex_numbers(SEXES)[SPEAKERS]
    count = len(SPEAKERS)
    return Candidates(
        count, lambda row: np.arange(row + 1, count), SPEAKERS, sexes, SPEAKERS, sexes
    )


def test_all_are_taken_where_they_are_few():
    pairs = choose_pairs(all_candidates(), 190, np.random.default_rng(0))
    enrol, test = np.triu_indices(20, k=1)
    np.testing.assert_array_equal(pairs.row, enrol)
    np.testing.assert_array_equal(pairs.test, test)


@pytest.mark.parametrize("most", [50, 100, 189])
def test_a_sample_has_the_size_asked_for_and_no_pair_twice(most):
    pairs = choose_pairs(all_candidates(), most, np.random.default_rng(1))
    assert len(set(zip(pairs.row.tolist(), pairs.test.tolist(), strict=True))) == most
    assert (pairs.row < pairs.test).all()
    order = np.lexsort((pairs.test, pairs.row))
    np.testing.assert_array_equal(order, np.arange(most))


def test_targets_are_all_kept_and_sexes_keep_their_shares():
    # 30 targets of 190 pairs; of 160 non-targets F-F and M-M have 16 each, F-M 64, each sex
    # with the unknown 32: of the 80 kept half of each.
    pairs = choose_pairs(all_candidates(), 110, np.random.default_rng(2))
    own, other = SPEAKERS[pairs.row], SPEAKERS[pairs.test]
    assert np.count_nonzero(own == other) == 30
    names = np.array(SEXES)
    kinds = ["".join(sorted(pair)) for pair in zip(names[own], names[other], strict=True)]
    apart = [kind for kind, same in zip(kinds, own == other, strict=True) if not same]
    counts = {kind: apart.count(kind) for kind in ("FF", "MM", "FM", "F", "M")}
    assert counts == {"FF": 8, "MM": 8, "FM": 32, "F": 16, "M": 16}


def test_targets_are_at_most_half_where_both_kinds_are_many():
    pairs = choose_pairs(all_candidates(), 20, np.random.default_rng(3))
    assert np.count_nonzero(SPEAKERS[pairs.row] == SPEAKERS[pairs.test]) == 10


def test_every_pair_of_a_stratum_is_equally_likely():
    seen = np.zeros((20, 20))
    for seed in range(600):
        pairs = choose_pairs(all_candidates(), 110, np.random.default_rng([4, seed]))
        seen[pairs.row, pairs.test] += 1
    rows, columns = np.triu_indices(20, k=1)
    apart = SPEAKERS[rows] != SPEAKERS[columns]
    found = seen[rows, columns][apart]
    # 300 expected, standard deviation sqrt(600 / 4) = 12.2; the widest of 160 stays in 5 of them.
    assert found.mean() == 300
    assert abs(found - 300).max() < 61


def test_equal_seeds_equal_samples_other_seeds_other_samples():
    first, again, other = (
        choose_pairs(all_candidates(), 60, np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first.test, again.test)
    assert (first.test != other.test).any()


def test_shares_are_whole_numbers_and_sum_up():
    sizes = np.zeros(18, np.int64)
    sizes[[3, 0, 2, 4]] = [7, 10, 11, 12]  # stratum 3 holds targets
    quotas = share_out(sizes, 20)
    assert quotas[3] == 7
    assert quotas[[0, 2, 4]].sum() == 13
    assert (quotas <= sizes).all()
    np.testing.assert_allclose(quotas[[0, 2, 4]], sizes[[0, 2, 4]] * 13 / 33, atol=1)
