"""A seeded sample of trials, where there are more than can be scored in reasonable time.

All target trials are kept while they are no more than half; the sexes of the two speakers
keep their shares among the trials of each label.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

SEXES = ("", "F", "M")


@dataclass(frozen=True)
class Pairs:
    """Chosen pairs, in the order of their rows.

    Attributes:
        row, test: `[pair]` int64.
    """

    row: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Candidates:
    """All pairs there could be, one row at a time, so that they need not be held at once.

    Attributes:
        rows: number of rows; an enrolment each.
        tests: row -> `[pair]`, positions of the utterances it is compared with.
        row_speakers, row_sexes: `[row]`, as numbers.
        test_speakers, test_sexes: `[utterance]`, as numbers.
    """

    rows: int
    tests: Callable[[int], np.ndarray]
    row_speakers: np.ndarray
    row_sexes: np.ndarray
    test_speakers: np.ndarray
    test_sexes: np.ndarray

    def strata(self, row: int, tests: np.ndarray) -> np.ndarray:
        """Number each pair of a row by label and sexes, `[pair]`; odd ones are targets."""
        own, other = self.row_sexes[row], self.test_sexes[tests]
        sexes = np.minimum(own, other) * len(SEXES) + np.maximum(own, other)
        return np.asarray(2 * sexes + (self.row_speakers[row] == self.test_speakers[tests]))


def sex_numbers(sexes: Sequence[str]) -> np.ndarray:
    """Number the sexes, `[utterance]`; unknown ones 0."""
    return np.array([SEXES.index(sex) if sex in SEXES else 0 for sex in sexes], np.int64)


def choose_pairs(candidates: Candidates, most: int, random: np.random.Generator) -> Pairs:
    """Take all pairs, or a sample of exactly `most`, stratified by label and sexes."""
    sizes = np.zeros(2 * len(SEXES) ** 2, np.int64)
    for row in range(candidates.rows):
        strata = candidates.strata(row, candidates.tests(row))
        sizes += np.bincount(strata, minlength=len(sizes))
    quotas = sizes.copy() if sizes.sum() <= most else share_out(sizes, most)
    left, rows, chosen = sizes.copy(), [], []
    for row in range(candidates.rows):
        tests = candidates.tests(row)
        strata = candidates.strata(row, tests)
        kept = []
        for stratum in np.unique(strata):
            inside = tests[strata == stratum]
            take = _share_of_row(len(inside), left[stratum], quotas[stratum], random)
            kept.append(
                random.choice(inside, take, replace=False) if take < len(inside) else inside
            )
            left[stratum] -= len(inside)
            quotas[stratum] -= take
        ordered = np.sort(np.concatenate(kept)) if kept else tests
        rows.append(np.full(len(ordered), row, np.int64))
        chosen.append(ordered)
    return Pairs(np.concatenate(rows), np.concatenate(chosen).astype(np.int64))


def _share_of_row(here: int, left: int, wanted: int, random: np.random.Generator) -> int:
    """Draw how many of the wanted pairs fall on this row, of all rows from here on."""
    if wanted == left:
        return here
    return int(random.hypergeometric(here, left - here, wanted))


def share_out(sizes: np.ndarray, most: int) -> np.ndarray:
    """Say how many pairs of each stratum to take: `most` in all.

    Args:
        sizes: `[stratum]`, odd ones of targets; more than `most` in all.
        most: pairs to take.
    """
    targets = np.arange(len(sizes)) % 2 == 1
    whole = int(sizes[targets].sum())
    of_targets = min(whole, max(most // 2, most - int(sizes[~targets].sum())))
    own = _proportional(np.where(targets, sizes, 0), of_targets)
    return np.asarray(own + _proportional(np.where(targets, 0, sizes), most - of_targets))


def _proportional(sizes: np.ndarray, wanted: int) -> np.ndarray:
    """Divide `wanted` in proportion to sizes, in whole numbers; the largest remainders round up."""
    exact = sizes * (wanted / max(1, int(sizes.sum())))
    quotas = np.floor(exact).astype(np.int64)
    quotas[np.argsort(quotas - exact, kind="stable")[: wanted - int(quotas.sum())]] += 1
    return quotas
