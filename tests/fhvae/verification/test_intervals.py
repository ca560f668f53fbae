"""Speaker bootstrap and jackknife: weights by hand, known spreads, and coverage."""

import numpy as np
import pytest

from fhvae.errors import TrialError
from fhvae.intervals import Interval, percentile_interval
from fhvae.trials.error_rates import eer, equal_error_rate, error_curve, rank_trials
from fhvae.trials.pairs import Trials, pairs_of
from fhvae.verification.crossing import resample_eer
from fhvae.verification.detection_cost import minimum_detection_cost
from fhvae.verification.intervals import (
    SpeakerDraws,
    check_jackknife,
    difference_interval,
    draw_speakers,
    has_both_kinds,
    jackknife_eer,
    metric_interval,
    resample,
)
from fhvae.verification.trials import all_pairs
from tests.fhvae.verification.score_lists import noisy_scores
from tests.latent_factory import make_utterances

pytestmark = pytest.mark.usefixtures("few_speakers_suffice")


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


def test_draws_that_leave_one_kind_of_trial_are_told():
    trials = pairs_of(["u1", "u2", "u3", "u4"], ["a", "a", "b", "c"])
    counts = np.array([[1, 1, 1], [3, 0, 0], [0, 1, 2], [1, 2, 0], [2, 0, 1]])
    assert has_both_kinds(trials, counts).tolist() == [True, False, False, True, True]


def test_equal_seeds_equal_draws_other_seeds_other_draws():
    trials = all_pairs(make_utterances("test", 6, 2))
    first, again, other = (
        draw_speakers(trials, 20, np.random.default_rng(seed)).counts for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


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


def test_jackknife_by_hand():
    # Speaker a: targets 5 (u1 u2); b: targets 1 (u3 u4); c: targets 5 (u5 u6); all non-targets 3.
    trials = pairs_of([f"u{place}" for place in range(1, 7)], list("aabbcc"))
    scores = np.where(trials.is_target, np.where(trials.enrol_speakers == 1, 1.0, 5.0), 3.0)
    # Thresholds 1, 3, 5: FNR 0, m, m and FPR 1, 1, 0, where m is the share of targets that
    # are b's: the line from gap m - 1 to gap m is at FNR = m: 1/3 of all; 1/2, 0, 1/2 without
    # a, b, c. Their mean is 1/3, their squares sum to 2 (1/6)^2 + (1/3)^2 = 1/6, the standard
    # error is sqrt(2/3 / 6) = 1/3, and Student's t with 2 degrees of freedom 4.302653.
    ranked = rank_trials(scores, trials.is_target)
    value = float(equal_error_rate(error_curve(ranked)))
    interval = jackknife_eer(trials, ranked, value)
    assert interval.value == pytest.approx(1 / 3, abs=1e-12)
    assert (interval.low, interval.high) == (0.0, 1.0)  # 1/3 -+ 1.434, cut to what a rate can be


def test_jackknife_of_many_alike_speakers_is_narrow_and_holds_the_value():
    trials = all_pairs(make_utterances("test", 12, 4))
    ranked = rank_trials(noisy_scores(trials, seed=13), trials.is_target)
    value = float(equal_error_rate(error_curve(ranked)))
    left_out = []
    for speaker in range(12):  # the long way: the trials of the others, written down
        kept = (trials.enrol_speakers != speaker) & (trials.test_speakers != speaker)
        scores = noisy_scores(trials, seed=13)
        left_out.append(eer(scores[kept], trials.is_target[kept]))
    error = np.sqrt(11 / 12 * np.sum((np.array(left_out) - np.mean(left_out)) ** 2))
    interval = jackknife_eer(trials, ranked, value)
    assert interval.high - value == pytest.approx(2.200985 * error, rel=1e-6)  # t, 11 degrees
    assert value - interval.low == pytest.approx(2.200985 * error, rel=1e-6)


def test_the_jackknife_names_the_speaker_without_whom_it_cannot_be():
    trials = pairs_of(["u1", "u2", "u3", "u4"], ["a", "a", "b", "c"])
    with pytest.raises(TrialError, match="without speaker a of 3 one kind is gone"):
        check_jackknife(trials)


@pytest.mark.slow
def test_speaker_bootstrap_covers_the_true_eer():
    """The reason to resample speakers: trials of a list share them (nominal 95 %)."""
    utterances = make_utterances("test", 24, 8)
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
        draws = draw_speakers(trials, 500, random)
        scores = simulated_scores(random)
        resampled = resample_eer(trials, rank_trials(scores, trials.is_target), draws.counts)
        interval = percentile_interval(eer(scores, trials.is_target), resampled)
        covered.append(interval.low <= truth <= interval.high)
    assert np.mean(covered) > 0.85
