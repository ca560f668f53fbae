"""The DET curve: which error is on which axis, dots and labels of the metrics, bands."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from scipy.stats import norm

from fhvae.report.figures.det import draw_det
from fhvae.report.figures.drawing import BLUE, PINK
from fhvae.trials import ErrorCurve, deviates

NO_BANDS = pd.DataFrame(columns=["system", "fpr", "fnr_low", "fnr_high"])
METRICS = {
    "trials": {"target": 3, "nontarget": 12, "sha256": ""},
    "speakers": 4,
    "mu2": {"cos": {"eer": 0.16}, "plda": {"eer": 0.1}},
    "ivector": {"cos": {"eer": 0.3}},
}


def curve(distance: float) -> ErrorCurve:
    """Scores are normal, `distance` apart, those of targets wider: no symmetric curve."""
    thresholds = np.linspace(-8, 8 + distance, 150)
    return ErrorCurve(thresholds, norm.cdf((thresholds - distance) / 2), norm.sf(thresholds))


def band(system: str) -> pd.DataFrame:
    rates = {"fpr": [0.01, 0.1, 0.5], "fnr_low": [0.2, 0.05, 0.0], "fnr_high": [0.4, 0.1, 0.03]}
    return pd.DataFrame({"system": system, **rates})


def drawn(tmp_path, figures, curves, bands=NO_BANDS):
    draw_det(tmp_path / "det.png", curves, bands, METRICS)
    (axes,) = figures[-1].axes
    return axes


def test_false_acceptances_go_to_the_right_and_false_rejections_up(tmp_path, figures):
    found = curve(2.0)
    axes = drawn(tmp_path, figures, {"mu2.cos": found})
    line = axes.lines[0]
    np.testing.assert_array_equal(line.get_xdata(), deviates(found.fpr))
    np.testing.assert_array_equal(line.get_ydata(), deviates(found.fnr))
    assert axes.get_xlabel().startswith("false acceptances")
    assert axes.get_ylabel().startswith("false rejections")
    for places, labels in (
        (axes.get_xticks(), axes.get_xticklabels()),
        (axes.get_yticks(), axes.get_yticklabels()),
    ):
        rates = [float(label.get_text()) / 100 for label in labels]
        np.testing.assert_allclose(places, deviates(np.array(rates)))


def test_a_system_has_the_color_of_its_vector_and_the_eer_of_the_metrics(tmp_path, figures):
    systems = {"mu2.cos": curve(2.0), "mu2.plda": curve(2.5), "ivector.cos": curve(1.0)}
    axes = drawn(tmp_path, figures, systems)
    curves, dots = axes.lines[0:6:2], axes.lines[1:6:2]
    assert [line.get_label() for line in curves] == [
        "mu2.cos   EER 16.0 %", "mu2.plda   EER 10.0 %", "ivector.cos   EER 30.0 %",
    ]  # fmt: skip
    assert [line.get_linestyle() for line in curves] == ["-", "--", "-"]
    for lines in (curves, dots):
        assert [to_hex(line.get_color()) for line in lines] == [
            color.lower() for color in (BLUE, BLUE, PINK)
        ]
    for dot, eer in zip(dots, (0.16, 0.1, 0.3), strict=True):
        place = float(deviates(np.array([eer]))[0])
        assert (*dot.get_xdata(), *dot.get_ydata()) == (place, place)
    (legend,) = figures[-1].legends
    assert [text.get_text() for text in legend.get_texts()] == [one.get_label() for one in curves]


def test_a_band_lies_behind_the_cosine_and_no_other_back_end(tmp_path, figures):
    systems = {"mu2.cos": curve(2.0), "mu2.plda": curve(2.5)}
    bands = pd.concat([band("mu2.cos"), band("mu2.plda")])
    (area,) = drawn(tmp_path, figures, systems, bands).collections
    assert to_hex(area.get_facecolor()[0]) == BLUE.lower()
    corners = {tuple(place) for place in area.get_paths()[0].vertices}
    places = deviates(np.array([0.01, 0.1, 0.5]))
    for ends in ([0.2, 0.05, 0.0], [0.4, 0.1, 0.03]):
        assert set(zip(places, deviates(np.array(ends)), strict=True)) <= corners


def test_the_title_counts_speakers_and_all_trials(tmp_path, figures):
    axes = drawn(tmp_path, figures, {})
    assert axes.get_title(loc="left") == "Test split: 4 speakers, 15 trials"
    assert not figures[-1].legends


@pytest.mark.parametrize("distance", [0.0, 20.0], ids=["chance", "perfect"])
def test_rates_of_0_and_1_stay_finite(tmp_path, figures, distance):
    line = drawn(tmp_path, figures, {"mu2.cos": curve(distance)}).lines[0]
    assert np.isfinite([line.get_xdata(), line.get_ydata()]).all()
