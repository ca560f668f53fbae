"""No number comes of numbers that are none: NaN and infinity end in a sentence, not in a figure."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fhvae.errors import FhvaeError
from fhvae.intervals import jackknife, mean_interval, rate_interval, t_interval
from fhvae.probes.scores import row_interval
from fhvae.probes.usage import residual_curve
from fhvae.trials import Vectors, cosine_eer, cosines, eer
from fhvae.verification.backends import fit_lda
from fhvae.verification.closed_set import closed_set
from fhvae.verification.error_rates import actual_detection_cost, cllr, fit_calibration
from tests.latent_factory import make_utterances

SAME = np.array([True, True, True, False, False, False])
SPEAKERS = list("aaaabbbbcccc")
PEOPLE = [replace(one, text=one.utterance_id) for one in make_utterances("test", 3, 4)]
NAMES = tuple(one.utterance_id for one in PEOPLE)
GOOD = np.random.default_rng(0).normal(size=(12, 4)) + np.repeat(np.eye(3, 4), 4, axis=0)


def vectors(values: np.ndarray) -> Vectors:
    return Vectors(NAMES, values)


OF_SCORES: dict[str, Callable[[np.ndarray], object]] = {
    "eer": lambda scores: eer(scores, SAME),
    "calibration": lambda scores: fit_calibration(scores, SAME),
    "cllr": lambda scores: cllr(scores, SAME),
    "actual cost": lambda scores: actual_detection_cost(scores, SAME, 0.01),
    "jackknife": jackknife,
    "interval of a rate": lambda left_out: rate_interval(0.1, left_out, 100),
    "interval of a difference": lambda left_out: t_interval(0.1, left_out),
    "interval of a mean": lambda sums: mean_interval(sums, np.ones(6)),
    "interval of rows": lambda values: row_interval(values, np.array(list("abcdef"))),
}
OF_VECTORS: dict[str, Callable[[np.ndarray], object]] = {
    "cosines": lambda values: cosines(vectors(values), vectors(values)),
    "LDA": lambda values: fit_lda(vectors(values), SPEAKERS, 2),
    "closed set": lambda values: closed_set(vectors(values), PEOPLE),
}


@pytest.mark.parametrize("name", OF_SCORES)
def test_of_scores_without_a_number_nothing_is_computed(name):
    scores = np.array([0.9, 0.8, 0.3, 0.4, 0.2, 0.1])
    assert OF_SCORES[name](scores) is not None
    scores[2] = np.nan
    with np.errstate(invalid="ignore"), pytest.raises(FhvaeError):
        OF_SCORES[name](scores)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", OF_VECTORS)
def test_of_vectors_without_a_number_nothing_is_computed(name, broken):
    assert OF_VECTORS[name](GOOD) is not None
    values = GOOD.copy()
    values[3, 1] = broken
    with np.errstate(all="ignore"), pytest.raises(FhvaeError):
        OF_VECTORS[name](values)
    assert cosine_eer(values, SPEAKERS) is None


@pytest.mark.parametrize("name", ["LDA", "closed set"])
@pytest.mark.parametrize("scale", [0.0, 1e-200, 1e200])
def test_vectors_that_do_not_vary_or_beyond_all_measure_tell_nobody(name, scale):
    """A speaker of vectors all alike cannot be named: an accuracy of 0 would say it was tried."""
    with np.errstate(all="ignore"), pytest.raises(FhvaeError):
        OF_VECTORS[name](scale * GOOD)


def test_codes_all_alike_have_no_geometry():
    """The share of nothing in nothing is no share; and without speakers all of it is kept."""
    phones, speakers = np.array(list("xyz") * 4), np.array(SPEAKERS)
    assert 0 <= residual_curve(GOOD, phones, speakers).kept <= 1
    with pytest.raises(FhvaeError, match="codes that differ between phones and speakers"):
        residual_curve(np.ones((12, 4)), phones, speakers)
    by_phone = np.tile(np.eye(3), (4, 1))
    with pytest.raises(FhvaeError, match="codes that differ between phones and speakers"):
        residual_curve(by_phone, phones, np.array(list("aaabbbaaabbb")))
