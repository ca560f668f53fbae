"""The tables of the DET curves: thinned, yet points of their curves."""

import numpy as np
from scipy.stats import norm

from fhvae.trials.det_axis import deviates
from fhvae.trials.error_rates import ErrorCurve
from fhvae.verification.bands import Band
from fhvae.verification.det import POINTS, band_table, det_table, thin
from fhvae.verification.systems import Curve

BAND = Band(
    np.array([0.01, 0.1, 0.5]), np.array([0.2, 0.0512345678, 0.0]), np.array([0.4, 0.1, 0.03])
)


def gaussian_curve(distance: float, count: int = 5000) -> Curve:
    """Scores of both kinds are normal, `distance` apart: a straight line in deviates."""
    thresholds = np.linspace(-8, 8 + distance, count)
    points = ErrorCurve(thresholds, norm.cdf(thresholds - distance), norm.sf(thresholds))
    return Curve(points, float(norm.cdf(-distance / 2)), BAND)


def test_a_long_curve_is_thinned_evenly_and_keeps_its_ends():
    points = gaussian_curve(2.0).points
    kept = thin(points)
    assert len(kept) <= POINTS + 1
    assert (kept[0], kept[-1]) == (0, 4999)
    x, y = deviates(points.fpr[kept]), deviates(points.fnr[kept])
    assert (np.abs(np.diff(x)) + np.abs(np.diff(y))).max() < 0.25  # of about 17 from end to end


def test_a_short_curve_is_kept_whole():
    fpr, fnr = np.array([1.0, 0.5, 0.25, 0.0]), np.array([0.0, 0.0, 0.5, 1.0])
    table = det_table({"mu2.cos": Curve(ErrorCurve(np.arange(4.0), fnr, fpr), 0.4, BAND)})
    assert table.columns.tolist() == ["system", "fpr", "fnr"]
    assert table["fpr"].tolist() == [1.0, 0.5, 0.25, 0.0]
    assert table["fnr"].tolist() == [0.0, 0.0, 0.5, 1.0]


def test_every_point_of_the_table_is_a_point_of_its_curve():
    curves = {"mu2.cos": gaussian_curve(3.0), "mu1.cos": gaussian_curve(0.1)}
    table = det_table(curves)
    for system, curve in curves.items():
        points = set(zip(curve.points.fpr.round(6), curve.points.fnr.round(6), strict=True))
        own = table[table["system"] == system]
        assert set(zip(own["fpr"], own["fnr"], strict=True)) <= points
        assert len(own) > 50


def test_bands_are_laid_out_by_system():
    table = band_table({"mu2.cos": gaussian_curve(3.0), "mu2.lda": gaussian_curve(3.5)})
    assert table.columns.tolist() == ["system", "fpr", "fnr_low", "fnr_high"]
    assert table["system"].tolist() == ["mu2.cos"] * 3 + ["mu2.lda"] * 3
    assert table["fnr_low"].tolist()[:3] == [0.2, 0.051235, 0.0]
    assert table["fnr_high"].tolist()[:3] == [0.4, 0.1, 0.03]


def test_no_system_gives_empty_tables():
    assert det_table({}).columns.tolist() == ["system", "fpr", "fnr"]
    assert band_table({}).columns.tolist() == ["system", "fpr", "fnr_low", "fnr_high"]
