"""Speaker bootstrap: weights by hand, the limits of percentiles, and coverage."""

import numpy as np
import pytest

from fhvae.verification.error_rates import (
    eer,
    equal_error_rate,
    error_curve,
    minimum_detection_cost,
    rank_trials,
)
from fhvae.verification.intervals import (
    Interval,
    SpeakerDraws,
    difference_interval,
    draw_speakers,
    metric_interval,
    percentile_interval,
    resample,
)
from fhvae.verification.trials import Trials, all_pairs, pairs_of
from tests.latent_factory import make_utterances


def noisy_scores(trials: Trials, seed: int, noise: float = 1.0) -> np.ndarray:
    """Score by closeness to the speaker's place on a line, with noise of the utterance."""
    random = np.random.default_rng(seed)
    places = 2 * random.normal(size=len(trials.speaker_names))
    vectors = places[trials.speakers] + noise * random.normal(size=len(trials.utterance_ids))
    return -np.abs(vectors[trials.enrol] - vectors[trials.test])


def repeated(trials: Trials, scores: np.ndarray, counts: np.ndarray) -> float:
    """EER after writing each trial down as often as its speakers were drawn."""
    kept, labels = [], []
    for score, first, second in zip(
        scores, trials.enrol_speakers, trials.test_speakers, strict=True
    ):
        times = counts[first] if first == second else counts[first] * counts[second]
        kept += [score] * int(times)
        labels += [first == second] * int(times)
    return eer(np.array(kept), np.array(labels))


def test_each_draw_equals_trials_written_down_that_often():
    trials = all_pairs(make_utterances("test", 5, 3))
    scores = noisy_scores(trials, seed=1)
    draws = draw_speakers(trials, 12, np.random.default_rng(2))
    values = resample(trials, rank_trials(scores, trials.is_target), draws, equal_error_rate)
    assert values.tolist() == [repeated(trials, scores, counts) for counts in draws.counts]


def test_the_size_of_chunks_changes_nothing(monkeypatch):
    trials = all_pairs(make_utterances("test", 4, 3))
    ranked = rank_trials(noisy_scores(trials, seed=3), trials.is_target)
    draws = draw_speakers(trials, 11, np.random.default_rng(4))
    whole = resample(trials, ranked, draws, equal_error_rate)
    monkeypatch.setattr("fhvae.verification.intervals.CHUNK_WEIGHTS", 3 * len(trials))
    np.testing.assert_array_equal(resample(trials, ranked, draws, equal_error_rate), whole)


def test_drawing_everyone_once_gives_the_plain_metric():
    trials = all_pairs(make_utterances("test", 4, 3))
    ranked = rank_trials(noisy_scores(trials, seed=5), trials.is_target)
    once = SpeakerDraws(np.ones((1, 4), dtype=np.int64), redrawn=0)
    values = resample(trials, ranked, once, equal_error_rate)
    assert values[0] == float(equal_error_rate(error_curve(ranked)))


def test_every_draw_has_as_many_speakers_and_both_kinds_of_trial():
    # Only speaker a has a target trial: about a third of the draws miss him, and are redrawn.
    trials = pairs_of(["u1", "u2", "u3", "u4"], ["a", "a", "b", "c"])
    draws = draw_speakers(trials, 200, np.random.default_rng(6))
    assert draws.counts.shape == (200, 3)
    assert (draws.counts.sum(axis=1) == 3).all()
    assert (draws.counts[:, 0] > 0).all()
    assert (np.count_nonzero(draws.counts, axis=1) >= 2).all()
    # Kept with probability 1 - (2/3)^3 - (1/3)^3 = 2/3: 100 redrawn of 300, give or take 5 sigma.
    assert 40 < draws.redrawn < 160


def test_equal_seeds_equal_draws_other_seeds_other_draws():
    trials = all_pairs(make_utterances("test", 6, 2))
    first, again, other = (
        draw_speakers(trials, 20, np.random.default_rng(seed)).counts for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_percentiles_of_a_known_list():
    # 0, 1, ..., 1000: 2.5 % and 97.5 % lie at 25 and 975.
    interval = percentile_interval(500.0, np.arange(1001.0))
    assert (interval.value, interval.low, interval.high) == pytest.approx((500.0, 25.0, 975.0))


@pytest.mark.parametrize(
    ("interval", "answer"),
    [
        (Interval(0.1, 0.02, 0.2), True),
        (Interval(-0.1, -0.2, -0.02), True),
        (Interval(0.1, -0.02, 0.2), False),
        (Interval(0.1, 0.0, 0.2), False),
    ],
)
def test_a_system_is_better_only_if_the_interval_excludes_zero(interval, answer):
    assert interval.excludes_zero is answer


def test_perfect_scores_have_no_spread():
    trials = all_pairs(make_utterances("test", 5, 2))
    draws = draw_speakers(trials, 50, np.random.default_rng(7))
    interval = metric_interval(trials, trials.is_target.astype(float), draws, equal_error_rate)
    assert interval == Interval(0.0, 0.0, 0.0)


def test_difference_of_a_system_with_itself_is_zero_in_every_draw():
    trials = all_pairs(make_utterances("test", 6, 3))
    scores = noisy_scores(trials, seed=8)
    draws = draw_speakers(trials, 50, np.random.default_rng(9))
    same = difference_interval(trials, scores, 2 * scores + 1, draws, equal_error_rate)
    assert same == Interval(0.0, 0.0, 0.0)


def test_difference_is_first_minus_second_and_turns_around():
    trials = all_pairs(make_utterances("test", 8, 4))
    draws = draw_speakers(trials, 100, np.random.default_rng(10))
    good, bad = trials.is_target.astype(float), -trials.is_target.astype(float)

    def cost(curve):
        return minimum_detection_cost(curve, 0.05)

    assert difference_interval(trials, bad, good, draws, cost) == Interval(1.0, 1.0, 1.0)
    middle = noisy_scores(trials, seed=11)
    forward = difference_interval(trials, good, middle, draws, equal_error_rate)
    backward = difference_interval(trials, middle, good, draws, equal_error_rate)
    assert forward.value == -backward.value
    assert forward.low == pytest.approx(-backward.high, abs=1e-12)
    assert backward.excludes_zero


@pytest.mark.slow
def test_speaker_bootstrap_covers_the_true_eer():
    """The reason to resample speakers: trials of a list share them (nominal 95 %)."""
    utterances = make_utterances("test", 24, 6)
    trials = all_pairs(utterances)

    def simulated_scores(random):
        speakers = random.normal(size=(24, 6))
        vectors = speakers[trials.speakers] + 1.2 * random.normal(size=(len(utterances), 6))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors[trials.enrol] * vectors[trials.test]).sum(axis=1)

    # Independent lists of the same size estimate the mean of the EER over lists.
    truth = np.mean(
        [eer(simulated_scores(np.random.default_rng([1, i])), trials.is_target) for i in range(400)]
    )
    covered = []
    for repeat in range(120):
        random = np.random.default_rng([2, repeat])
        draws = draw_speakers(trials, 300, random)
        scores = simulated_scores(random)
        interval = metric_interval(trials, scores, draws, equal_error_rate)
        covered.append(interval.low <= truth <= interval.high)
    assert np.mean(covered) > 0.85
