"""Back-ends by name: what each is, what is chosen on dev, and what cannot be fitted."""

import numpy as np
import pytest

from fhvae.trials.cosine import Vectors, cosine_scores
from fhvae.trials.error_rates import eer
from fhvae.trials.pairs import pairs_of
from fhvae.verification import scoring
from fhvae.verification.backends import fit_lda, project
from fhvae.verification.scoring import (
    DevVectors,
    TrainVectors,
    best_on_dev,
    cut,
    fit_backends,
    lda_backend,
    score_trials,
)

DIMENSION = 6
NAMES = {"cos", "cos_c", "cos_asn", "lda2", "lda4", "lda", "plda", "plda_asn"}


def voices(speakers, each, seed, told=3, prefix="s"):
    """Speakers differ in the first `told` of six numbers; all sit far from the origin."""
    random = np.random.default_rng(seed)
    owner = np.repeat(np.arange(speakers), each)
    values = random.normal(size=(len(owner), DIMENSION)) + 4
    values[:, :told] += 2.5 * random.normal(size=(speakers, told))[owner]
    names = [f"{prefix}{speaker:02d}" for speaker in owner]
    return Vectors(tuple(f"{prefix}u{place:03d}" for place in range(len(owner))), values), names


@pytest.fixture(scope="module")
def train():
    return TrainVectors(*voices(12, 6, seed=1))


@pytest.fixture(scope="module")
def dev():
    vectors, speakers = voices(6, 5, seed=2, prefix="d")
    return DevVectors(vectors, pairs_of(vectors.utterance_ids, speakers))


@pytest.fixture(scope="module")
def test_split():
    vectors, speakers = voices(8, 5, seed=3, prefix="t")
    return vectors, pairs_of(vectors.utterance_ids, speakers)


def test_every_back_end_is_fitted(train, dev, test_split):
    vectors, trials = test_split
    backends = fit_backends(train, dev, [2, 4])
    assert set(backends.fitted) == NAMES
    assert backends.absent == {}
    rates = {
        name: eer(score_trials(backend, vectors, trials), trials.is_target)
        for name, backend in backends.fitted.items()
    }
    assert rates["lda"] < rates["cos_c"] < rates["cos"]
    assert rates["plda"] < rates["cos_c"]


def test_cos_is_the_cosine_and_cos_c_that_of_centred_vectors(train, dev, test_split):
    vectors, trials = test_split
    fitted = fit_backends(train, dev, [2]).fitted
    np.testing.assert_allclose(
        score_trials(fitted["cos"], vectors, trials), cosine_scores(vectors, trials), atol=1e-14
    )
    centred = Vectors(vectors.utterance_ids, vectors.values - train.vectors.values.mean(axis=0))
    np.testing.assert_allclose(
        score_trials(fitted["cos_c"], vectors, trials), cosine_scores(centred, trials), atol=1e-14
    )


def test_lda_rows_are_lda_of_that_size(train, dev, test_split):
    vectors, trials = test_split
    fitted = fit_backends(train, dev, [2, 4]).fitted
    for count in (2, 4):
        lda = fit_lda(train.vectors, train.speakers, count)
        expected = cosine_scores(project(lda, vectors), trials)
        found = score_trials(fitted[f"lda{count}"], vectors, trials)
        np.testing.assert_allclose(found, expected, atol=1e-9)
        assert fitted[f"lda{count}"].dimensions == count


def test_the_dimension_is_the_best_on_dev_and_of_equals_the_fewest(train, dev):
    whole = fit_lda(train.vectors, train.speakers, DIMENSION)
    tried = [lda_backend(cut(whole, count)) for count in (1, 2, 3, 6)]
    rates = [eer(score_trials(one, dev.vectors, dev.trials), dev.trials.is_target) for one in tried]
    assert best_on_dev(tried, dev) is tried[int(np.argmin(rates))]
    assert rates[2] < rates[0]  # speakers differ in three numbers: one direction is too few
    assert best_on_dev([tried[2], tried[2], tried[0]], dev) is tried[2]
    chosen = fit_backends(train, dev, [1, 3]).fitted["lda"].dimensions
    assert chosen == (1, 3, 6)[int(np.argmin([rates[0], rates[2], rates[3]]))]


def test_the_test_split_has_no_say(train, dev):
    """Fitting takes train and dev only; here dev alone is changed, and the choice with it."""
    flat = Vectors(dev.vectors.utterance_ids, dev.vectors.values.copy())
    flat.values[:, 1:] = 4.0  # only the first number is left to tell speakers by
    sizes = {
        fit_backends(train, one, [1, 3]).fitted["lda"].dimensions
        for one in (dev, DevVectors(flat, dev.trials))
    }
    assert len(sizes) == 2


def test_normalized_scores_do_not_depend_on_what_all_vectors_share(train, dev, test_split):
    """A cohort moved along with the vectors leaves a PLDA score where it was."""
    vectors, trials = test_split

    def scores(shift):
        moved = [
            Vectors(one.utterance_ids, one.values + shift)
            for one in (train.vectors, dev.vectors, vectors)
        ]
        own = TrainVectors(moved[0], train.speakers)
        backend = fit_backends(own, DevVectors(moved[1], dev.trials), [3]).fitted["plda_asn"]
        return score_trials(backend, moved[2], trials)

    np.testing.assert_allclose(scores(50.0), scores(0.0), rtol=1e-5, atol=1e-5)


def test_scoring_a_few_rows_at_a_time_changes_nothing(monkeypatch, train, dev, test_split):
    vectors, trials = test_split
    backend = fit_backends(train, dev, [3]).fitted["cos_asn"]
    whole = score_trials(backend, vectors, trials)
    monkeypatch.setattr(scoring, "ROWS_AT_A_TIME", 7)
    np.testing.assert_allclose(score_trials(backend, vectors, trials), whole, atol=1e-12)


def test_vectors_in_another_order_are_refused(train, dev, test_split):
    vectors, trials = test_split
    turned = Vectors(vectors.utterance_ids[::-1], vectors.values)
    with pytest.raises(ValueError, match="same utterances"):
        score_trials(fit_backends(train, dev, [3]).fitted["cos"], turned, trials)


def test_without_dev_trials_nothing_is_chosen(train):
    backends = fit_backends(train, None, [2, 4])
    assert set(backends.fitted) == {"cos", "cos_c", "cos_asn", "lda2", "lda4"}
    assert set(backends.absent) == {"lda", "plda", "plda_asn"}
    assert "dev has no trials" in backends.absent["plda_asn"]


def test_lonely_train_utterances_leave_the_cosines(dev):
    vectors, _ = voices(6, 1, seed=4)
    backends = fit_backends(TrainVectors(vectors, list("abcdef")), dev, [2])
    assert set(backends.fitted) == {"cos", "cos_c", "cos_asn"}
    assert set(backends.absent) == {"lda2", "lda", "plda", "plda_asn"}
    assert "at least 2 train speakers" in backends.absent["lda2"]


def test_three_train_speakers_make_no_cohort(dev):
    backends = fit_backends(TrainVectors(*voices(3, 6, seed=5)), dev, [2])
    assert set(backends.absent) == {"cos_asn", "plda_asn"}
    assert "at least 4 train speakers, found 3" in backends.absent["cos_asn"]
    assert backends.fitted["plda"].dimensions <= 2
