"""Bands of the DET curve: the curve itself without spread, wider with few speakers."""

import numpy as np
import pytest

from fhvae.trials.error_rates import det_points, error_curve, rank_trials
from fhvae.verification.bands import GRID, det_band, fnr_at
from fhvae.verification.intervals import SpeakerDraws, draw_speakers
from fhvae.verification.trials import all_pairs
from tests.fhvae.verification.score_lists import noisy_scores
from tests.latent_factory import make_utterances

pytestmark = pytest.mark.usefixtures("few_speakers_suffice")


def test_fnr_at_a_share_of_non_targets_by_hand():
    # Targets 1, 3 and non-targets 0, 2: thresholds 0, 1, 2, 3 let 1, 1/2, 1/2, 0 of the
    # non-targets through and miss 0, 0, 1/2, 1/2 of the targets.
    scores, labels = np.array([1.0, 3, 0, 2]), np.array([True, True, False, False])
    curve = error_curve(rank_trials(scores, labels), np.ones((1, 4)))
    found = fnr_at(curve, np.array([0.0, 0.4, 0.5, 0.9, 1.0]))
    np.testing.assert_array_equal(found, [[0.5, 0.5, 0, 0, 0]])


def test_drawing_everyone_once_gives_the_curve_itself():
    trials = all_pairs(make_utterances("test", 5, 4))
    scores = noisy_scores(trials, seed=1)
    once = SpeakerDraws(np.ones((3, 5), np.int64), redrawn=0)
    band = det_band(trials, scores, once)
    np.testing.assert_array_equal(band.low, band.high)
    points = det_points(scores, trials.is_target).fnr.tolist()
    assert set(band.low.tolist()) <= set(points)
    assert (np.diff(band.low) <= 0).all()


def test_more_speakers_make_a_narrower_band():
    widths = []
    for speakers in (6, 40):
        trials = all_pairs(make_utterances("test", speakers, 3))
        draws = draw_speakers(trials, 60, np.random.default_rng(2))
        band = det_band(trials, noisy_scores(trials, seed=3), draws)
        assert (band.low <= band.high).all()
        widths.append((band.high - band.low)[len(GRID) // 2 :].mean())
    assert widths[1] < 0.6 * widths[0]
