"""Frozen scores with frozen metrics: no definition may change unnoticed.

frozen_scores.tsv holds 105 pairs of 15 utterances of five speakers (a to e, three each), scores
in quarters, so with many ties. The figures below were counted trial by trial in exact
fractions, logarithms in 50 digits, by a program that shares no line with this library.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fhvae.trials import det_points, eer, equal_error_rate, pairs_of, rank_trials
from fhvae.verification.error_rates import (
    actual_detection_cost,
    cllr,
    fit_calibration,
    legacy_equal_error_rate,
    lower_hull,
    minimum_cllr,
    minimum_detection_cost,
)
from fhvae.verification.resampling import resample_eer
from fhvae.verification.scores import read_scores

FILE = Path(__file__).with_name("frozen_scores.tsv")
FROZEN = read_scores(FILE)
SCORES, LABELS = FROZEN.scores, FROZEN.is_target
CURVE = det_points(SCORES, LABELS)
HULL = lower_hull(CURVE)
CALIBRATION = fit_calibration(SCORES, LABELS)


def test_the_list_is_whole():
    assert (int(LABELS.sum()), int((~LABELS).sum())) == (15, 90)
    assert len(np.unique(SCORES)) < 40


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(eer(SCORES, LABELS), 19 / 105, id="eer"),
        pytest.param(legacy_equal_error_rate(CURVE), 1 / 5, id="eer_legacy"),
        pytest.param(float(equal_error_rate(HULL)), 2 / 15, id="eer_rocch"),
        pytest.param(minimum_detection_cost(CURVE, 0.01), 3 / 5, id="mindcf_p01"),
        pytest.param(minimum_detection_cost(CURVE, 0.05), 49 / 90, id="mindcf_p05"),
        pytest.param(actual_detection_cost(SCORES, LABELS, 0.01), 14 / 15, id="actdcf_p01"),
        pytest.param(actual_detection_cost(SCORES, LABELS, 0.05), 14 / 15, id="actdcf_p05"),
        pytest.param(cllr(SCORES, LABELS), 0.506633160740663, id="cllr"),
        pytest.param(minimum_cllr(HULL), 0.316194347473475, id="cllr_min"),
    ],
)
def test_metric(found, expected):
    assert found == pytest.approx(expected, abs=1e-9)


def test_calibration():
    # Of the unpenalized regression; the ridge moves it by less than 1e-7.
    assert CALIBRATION.slope == pytest.approx(1.927848854341078, abs=1e-7)
    assert CALIBRATION.offset == pytest.approx(-0.502262903543545, abs=1e-7)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param([2, 1, 1, 0, 1], 13 / 96, id="one-left-out"),
        pytest.param([0, 2, 0, 2, 1], 5 / 29, id="two-left-out"),
        pytest.param([1, 0, 3, 1, 0], 14 / 171, id="one-three-times"),
        pytest.param([1, 1, 1, 1, 1], 19 / 105, id="everyone-once"),
    ],
)
def test_eer_under_a_draw_of_speakers(counts, expected):
    ids = [f"u{place:02d}" for place in range(15)]
    trials = pairs_of(ids, [speaker for speaker in "abcde" for _ in range(3)])
    written = pd.read_csv(FILE, sep="\t")
    assert written["enrol"].tolist() == [ids[place] for place in trials.enrol]
    assert written["test"].tolist() == [ids[place] for place in trials.test]
    found = resample_eer(trials, rank_trials(SCORES, LABELS), np.array([counts]))
    assert found[0] == pytest.approx(expected, abs=1e-12)
