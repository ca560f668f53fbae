"""Speakers drawn and left out: weights by hand, the short way, bands, coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhvae.intervals import rate_interval, t_interval
from fhvae.trials import (
    Trials,
    det_points,
    eer,
    equal_error_rate,
    error_curve,
    pairs_of,
    rank_trials,
)
from fhvae.verification import resampling
from fhvae.verification.error_rates import false_alarms_at_crossing
from fhvae.verification.resampling import (
    GRID,
    SpeakerDraws,
    cut_blocks,
    det_band,
    eer_interval,
    fnr_at,
    has_both_kinds,
    leave_one_out_eer,
    resample_eer,
    resample_speakers,
    resampled_curves,
    why_no_eer_interval,
)
from tests.latent_factory import make_utterances
from tests.score_lists import every_pair, noisy_scores, scored_pairs

pytestmark = pytest.mark.usefixtures("few_speakers_suffice")


def long_way(trials, ranked, counts, read=equal_error_rate):
    """EER of each draw, all trials walked in each."""
    curves = list(resampled_curves(trials, ranked, counts))
    return np.concatenate([read(curve) for curve in curves])


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
    trials = every_pair(make_utterances("test", 5, 3))
    scores = noisy_scores(trials, seed=1)
    draws = resample_speakers(trials, 12, np.random.default_rng(2))
    values = long_way(trials, rank_trials(scores, trials.is_target), draws.counts)
    assert values.tolist() == [repeated(trials, scores, counts) for counts in draws.counts]


def test_the_size_of_chunks_changes_nothing(monkeypatch):
    trials = every_pair(make_utterances("test", 4, 3))
    ranked = rank_trials(noisy_scores(trials, seed=3), trials.is_target)
    draws = resample_speakers(trials, 11, np.random.default_rng(4))
    whole = long_way(trials, ranked, draws.counts)
    monkeypatch.setattr(resampling, "CHUNK_WEIGHTS", 3 * len(trials))
    np.testing.assert_array_equal(long_way(trials, ranked, draws.counts), whole)


def test_another_reading_of_the_curve_is_that_of_the_long_way():
    trials = every_pair(make_utterances("test", 7, 4))
    ranked = rank_trials(noisy_scores(trials, seed=6, noise=3.0), trials.is_target)
    counts = resample_speakers(trials, 30, np.random.default_rng(8)).counts
    found = resample_eer(trials, ranked, counts, false_alarms_at_crossing)
    np.testing.assert_array_equal(found, long_way(trials, ranked, counts, false_alarms_at_crossing))
    assert (found != resample_eer(trials, ranked, counts)).any()


def test_drawing_everyone_once_gives_the_plain_metric():
    trials = every_pair(make_utterances("test", 4, 3))
    ranked = rank_trials(noisy_scores(trials, seed=5), trials.is_target)
    once = np.ones((1, 4), dtype=np.int64)
    values = long_way(trials, ranked, once)
    assert values[0] == float(equal_error_rate(error_curve(ranked)))


def test_every_draw_has_as_many_speakers_and_both_kinds_of_trial():
    # Only speaker a has a target trial: about a third of the draws miss that one, and are redrawn.
    trials = pairs_of(["u1", "u2", "u3", "u4"], ["a", "a", "b", "c"])
    draws = resample_speakers(trials, 200, np.random.default_rng(6))
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
    trials = every_pair(make_utterances("test", 6, 2))
    first, again, other = (
        resample_speakers(trials, 20, np.random.default_rng(seed)).counts for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_perfect_scores_have_no_spread():
    trials = every_pair(make_utterances("test", 5, 2))
    ranked = rank_trials(trials.is_target.astype(float), trials.is_target)
    draws = resample_speakers(trials, 50, np.random.default_rng(7))
    assert resample_eer(trials, ranked, draws.counts).tolist() == [0.0] * 50


@settings(max_examples=300)
@given(scored_pairs(), st.integers(0, 1000))
def test_the_short_way_equals_the_long_way_to_the_last_bit(parts, seed):
    trials, scores = parts
    ranked = rank_trials(scores, trials.is_target)
    draws = resample_speakers(trials, 20, np.random.default_rng(seed))
    np.testing.assert_array_equal(
        resample_eer(trials, ranked, draws.counts),
        long_way(trials, ranked, draws.counts),
    )


@pytest.mark.parametrize("noise", [0.1, 1.0, 30.0], ids=["easy", "hard", "chance"])
def test_equals_the_long_way_on_the_papers_list(noise):
    trials = every_pair(make_utterances("test", 24, 8))
    ranked = rank_trials(noisy_scores(trials, seed=1, noise=noise), trials.is_target)
    draws = resample_speakers(trials, 50, np.random.default_rng(2))
    found = resample_eer(trials, ranked, draws.counts)
    np.testing.assert_array_equal(found, long_way(trials, ranked, draws.counts))
    assert len(np.unique(found)) > 25  # a metric that moves


def test_extreme_draws_cross_far_from_the_rest():
    """One speaker's utterances are all alike, another's all apart: the crossing wanders."""
    trials = every_pair(make_utterances("test", 6, 5))
    scores = noisy_scores(trials, seed=3)
    own = trials.is_target & (trials.enrol_speakers == 0)
    scores[own] -= 100
    ranked = rank_trials(scores, trials.is_target)
    counts = np.array([[5, 1, 0, 0, 0, 0], [0, 5, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]])
    expected = long_way(trials, ranked, counts)
    np.testing.assert_array_equal(resample_eer(trials, ranked, counts), expected)
    assert expected.max() - expected.min() > 0.3


@pytest.mark.parametrize("cells", [1, 40, 300])
def test_the_size_of_tables_changes_nothing(monkeypatch, cells):
    trials = every_pair(make_utterances("test", 5, 4))
    ranked = rank_trials(noisy_scores(trials, seed=4), trials.is_target)
    draws = resample_speakers(trials, 17, np.random.default_rng(5))
    whole = resample_eer(trials, ranked, draws.counts)
    monkeypatch.setattr(resampling, "CELLS", cells)
    np.testing.assert_array_equal(resample_eer(trials, ranked, draws.counts), whole)


def test_blocks_count_every_trial_once():
    trials = every_pair(make_utterances("test", 4, 5))
    blocks = cut_blocks(trials, rank_trials(noisy_scores(trials, seed=6), trials.is_target))
    assert blocks.targets[0].tolist() == [0] * 4
    assert blocks.targets[-1].tolist() == [10] * 4  # 5 utterances make 10 pairs
    assert blocks.nontargets[-1].tolist() == [25] * 6  # of 4 speakers 6 pairs, 5 x 5 each
    assert (np.diff(blocks.nontargets, axis=0) >= 0).all()
    assert len(blocks.borders) > 5


def test_without_each_speaker_by_hand():
    # Speaker a: targets 5 (u1 u2); b: targets 1 (u3 u4); c: targets 5 (u5 u6); all non-targets 3.
    trials = pairs_of([f"u{place}" for place in range(1, 7)], list("aabbcc"))
    scores = np.where(trials.is_target, np.where(trials.enrol_speakers == 1, 1.0, 5.0), 3.0)
    # Thresholds 1, 3, 5: FNR 0, m, m and FPR 1, 1, 0, where m is the share of targets that
    # are b's: the line from gap m - 1 to gap m is at FNR = m: 1/3 of all; 1/2, 0, 1/2 without
    # a, b, c.
    ranked = rank_trials(scores, trials.is_target)
    left_out = leave_one_out_eer(trials, ranked)
    assert left_out == pytest.approx([1 / 2, 0, 1 / 2], abs=1e-12)
    interval = eer_interval(trials, ranked)
    assert interval == rate_interval(interval.value, left_out, trials=3)
    assert interval.value == pytest.approx(1 / 3, abs=1e-12)


def test_without_each_speaker_the_long_way():
    trials = every_pair(make_utterances("test", 12, 4))
    scores = noisy_scores(trials, seed=13)
    left_out = []
    for speaker in range(12):  # the trials of the others, written down
        kept = (trials.enrol_speakers != speaker) & (trials.test_speakers != speaker)
        left_out.append(eer(scores[kept], trials.is_target[kept]))
    found = leave_one_out_eer(trials, rank_trials(scores, trials.is_target))
    assert found.tolist() == pytest.approx(left_out, abs=1e-12)
    assert len(set(found.tolist())) > 6


def test_an_eer_without_errors_is_not_certain():
    trials = every_pair(make_utterances("test", 9, 3))
    interval = eer_interval(trials, rank_trials(trials.is_target * 1.0, trials.is_target))
    assert (interval.value, interval.low) == (0, 0)
    assert interval.high == pytest.approx(2.306004**2 / (9 + 2.306004**2))  # nine, none wrong


def test_a_reason_names_the_speaker_without_whom_there_is_no_interval(monkeypatch):
    trials = pairs_of(["u1", "u2", "u3", "u4"], ["a", "a", "b", "c"])
    assert "without speaker a of 3 one kind is gone" in why_no_eer_interval(trials)
    ranked = rank_trials(noisy_scores(trials, seed=1), trials.is_target)
    assert leave_one_out_eer(trials, ranked).shape == (0,)
    assert eer_interval(trials, ranked).low is None
    assert why_no_eer_interval(every_pair(make_utterances("test", 3, 2))) is None
    monkeypatch.setattr("fhvae.intervals.FEWEST_SPEAKERS", 4)
    assert "at least 4 test speakers, there are 3" in why_no_eer_interval(trials)


def test_fnr_at_a_share_of_non_targets_by_hand():
    # Targets 1, 3 and non-targets 0, 2: thresholds 0, 1, 2, 3 let 1, 1/2, 1/2, 0 of the
    # non-targets through and miss 0, 0, 1/2, 1/2 of the targets.
    scores, labels = np.array([1.0, 3, 0, 2]), np.array([True, True, False, False])
    curve = error_curve(rank_trials(scores, labels), np.ones((1, 4)))
    found = fnr_at(curve, np.array([0.0, 0.4, 0.5, 0.9, 1.0]))
    np.testing.assert_array_equal(found, [[0.5, 0.5, 0, 0, 0]])


def test_drawing_everyone_once_gives_the_curve_itself():
    trials = every_pair(make_utterances("test", 5, 4))
    scores = noisy_scores(trials, seed=1)
    once = SpeakerDraws(np.ones((3, 5), np.int64), redrawn=0)
    band = det_band(trials, rank_trials(scores, trials.is_target), once)
    np.testing.assert_array_equal(band.low, band.high)
    points = det_points(scores, trials.is_target).fnr.tolist()
    assert set(band.low.tolist()) <= set(points)
    assert (np.diff(band.low) <= 0).all()


def test_a_band_leaves_out_a_fortieth_of_the_draws_at_each_end():
    trials = every_pair(make_utterances("test", 7, 4))
    ranked = rank_trials(noisy_scores(trials, seed=4), trials.is_target)
    draws = resample_speakers(trials, 41, np.random.default_rng(5))
    band = det_band(trials, ranked, draws)
    rates = [fnr_at(curve, GRID) for curve in resampled_curves(trials, ranked, draws.counts)]
    ordered = np.sort(np.concatenate(rates), axis=0)
    np.testing.assert_allclose(band.low, ordered[1], atol=1e-12)
    np.testing.assert_allclose(band.high, ordered[-2], atol=1e-12)
    assert (band.low < band.high).any()


def test_more_speakers_make_a_narrower_band():
    widths = []
    for speakers in (6, 40):
        trials = every_pair(make_utterances("test", speakers, 3))
        draws = resample_speakers(trials, 60, np.random.default_rng(2))
        ranked = rank_trials(noisy_scores(trials, seed=3), trials.is_target)
        band = det_band(trials, ranked, draws)
        assert (band.low <= band.high).all()
        widths.append((band.high - band.low)[len(GRID) // 2 :].mean())
    assert widths[1] < 0.6 * widths[0]


def simulated(random, trials, noises):
    """Rank the trials as systems see them that share 60 % of the variance of an utterance.

    How far utterances lie from their speaker differs from speaker to speaker; seven dimensions.
    """
    shape = len(trials.speaker_names), len(trials.utterance_ids) // len(trials.speaker_names), 7
    means = random.normal(size=(shape[0], 1, 7))
    spread = np.exp(0.25 * random.normal(size=(shape[0], 1, 1)))
    shared = random.normal(size=shape)
    for noise in noises:
        away = np.sqrt(0.6) * shared + np.sqrt(0.4) * random.normal(size=shape)
        vectors = (means + noise * spread * away).reshape(-1, 7)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        scores = (vectors[trials.enrol] * vectors[trials.test]).sum(axis=1)
        yield rank_trials(scores, trials.is_target)


def true_rates(noises):
    """EERs of many speakers, with the same noise."""
    trials = every_pair(make_utterances("test", 60, 6))
    found = [
        [float(equal_error_rate(error_curve(one))) for one in simulated(random, trials, noises)]
        for random in (np.random.default_rng([1, place]) for place in range(60))
    ]
    return np.mean(found, axis=0)


@pytest.mark.slow
@pytest.mark.parametrize(("speakers", "noise", "most"), [(12, 0.22, 1.0), (24, 0.22, 0.985)])
def test_the_true_eer_of_unequal_speakers_is_covered(speakers, noise, most):
    """An EER of 2 % (nominal 95 %): percentiles of draws cover 69 and 79 % of such."""
    (truth,) = true_rates([noise])
    trials = every_pair(make_utterances("test", speakers, 6))
    covered = []
    for repeat in range(300):
        (ranked,) = simulated(np.random.default_rng([2, repeat]), trials, [noise])
        interval = eer_interval(trials, ranked)
        covered.append(interval.low <= truth <= interval.high)
    assert 0.92 <= np.mean(covered) <= most


@pytest.mark.slow
def test_the_true_difference_of_two_systems_is_covered():
    """Two systems that hear the same utterances, at 2.7 and 3.8 %."""
    noises = [0.26, 0.3]
    first, second = true_rates(noises)
    trials = every_pair(make_utterances("test", 24, 6))
    covered = []
    for repeat in range(300):
        pair = list(simulated(np.random.default_rng([3, repeat]), trials, noises))
        values = [eer_interval(trials, one).value for one in pair]
        left_out = [leave_one_out_eer(trials, one) for one in pair]
        interval = t_interval(values[0] - values[1], left_out[0] - left_out[1])
        covered.append(interval.low <= first - second <= interval.high)
    assert 0.92 <= np.mean(covered) <= 0.99
