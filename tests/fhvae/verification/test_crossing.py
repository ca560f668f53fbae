"""The short way to the EER of every draw gives the numbers of the long way, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhvae.trials.error_rates import equal_error_rate, rank_trials
from fhvae.verification import crossing
from fhvae.verification.crossing import cut_blocks, resample_eer
from fhvae.verification.intervals import SpeakerDraws, draw_speakers, resample
from fhvae.verification.trials import all_pairs
from tests.fhvae.verification.score_lists import noisy_scores, scored_pairs
from tests.latent_factory import make_utterances

pytestmark = pytest.mark.usefixtures("few_speakers_suffice")


@settings(max_examples=300)
@given(scored_pairs(), st.integers(0, 1000))
def test_equals_the_long_way_to_the_last_bit(parts, seed):
    trials, scores = parts
    ranked = rank_trials(scores, trials.is_target)
    draws = draw_speakers(trials, 20, np.random.default_rng(seed))
    np.testing.assert_array_equal(
        resample_eer(trials, ranked, draws.counts),
        resample(trials, ranked, draws, equal_error_rate),
    )


@pytest.mark.parametrize("noise", [0.1, 1.0, 30.0], ids=["easy", "hard", "chance"])
def test_equals_the_long_way_on_the_papers_list(noise):
    trials = all_pairs(make_utterances("test", 24, 8))
    ranked = rank_trials(noisy_scores(trials, seed=1, noise=noise), trials.is_target)
    draws = draw_speakers(trials, 50, np.random.default_rng(2))
    found = resample_eer(trials, ranked, draws.counts)
    np.testing.assert_array_equal(found, resample(trials, ranked, draws, equal_error_rate))
    assert len(np.unique(found)) > 25  # a metric that moves


def test_extreme_draws_cross_far_from_the_rest():
    """One speaker's utterances are all alike, another's all apart: the crossing wanders."""
    trials = all_pairs(make_utterances("test", 6, 5))
    scores = noisy_scores(trials, seed=3)
    own = trials.is_target & (trials.enrol_speakers == 0)
    scores[own] -= 100
    ranked = rank_trials(scores, trials.is_target)
    counts = np.array([[5, 1, 0, 0, 0, 0], [0, 5, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]])
    long_way = resample(trials, ranked, SpeakerDraws(counts, 0), equal_error_rate)
    np.testing.assert_array_equal(resample_eer(trials, ranked, counts), long_way)
    assert long_way.max() - long_way.min() > 0.3


@pytest.mark.parametrize("cells", [1, 40, 300])
def test_the_size_of_tables_changes_nothing(monkeypatch, cells):
    trials = all_pairs(make_utterances("test", 5, 4))
    ranked = rank_trials(noisy_scores(trials, seed=4), trials.is_target)
    draws = draw_speakers(trials, 17, np.random.default_rng(5))
    whole = resample_eer(trials, ranked, draws.counts)
    monkeypatch.setattr(crossing, "CELLS", cells)
    np.testing.assert_array_equal(resample_eer(trials, ranked, draws.counts), whole)


def test_blocks_count_every_trial_once():
    trials = all_pairs(make_utterances("test", 4, 5))
    blocks = cut_blocks(trials, rank_trials(noisy_scores(trials, seed=6), trials.is_target))
    assert blocks.targets[0].tolist() == [0] * 4
    assert blocks.targets[-1].tolist() == [10] * 4  # 5 utterances make 10 pairs
    assert blocks.nontargets[-1].tolist() == [25] * 6  # of 4 speakers 6 pairs, 5 x 5 each
    assert (np.diff(blocks.nontargets, axis=0) >= 0).all()
    assert len(blocks.borders) > 5
