"""The DET curve: a thinned table that keeps the curve, and the same bytes twice."""

import numpy as np
import pytest
from scipy.stats import norm

from fhvae.plots.det import (
    POINTS,
    DetBand,
    DetCurve,
    band_table,
    det_table,
    deviates,
    draw_det,
    thin,
)


def gaussian_curve(distance: float, count: int = 5000) -> DetCurve:
    """Scores of both kinds are normal, `distance` apart: a straight line in deviates."""
    thresholds = np.linspace(-8, 8 + distance, count)
    fpr, fnr = norm.sf(thresholds), norm.cdf(thresholds - distance)
    return DetCurve(fpr, fnr, float(norm.cdf(-distance / 2)))


def test_rates_become_normal_deviates():
    np.testing.assert_allclose(
        deviates(np.array([0.5, 0.15865525393145707, 0.9772498680518208])), [0, -1, 2], atol=1e-9
    )
    assert np.isfinite(deviates(np.array([0.0, 1.0]))).all()


def test_a_long_curve_is_thinned_evenly_and_keeps_its_ends():
    curve = gaussian_curve(2.0)
    kept = thin(curve)
    assert len(kept) <= POINTS + 1
    assert (kept[0], kept[-1]) == (0, 4999)
    x, y = deviates(curve.fpr[kept]), deviates(curve.fnr[kept])
    assert (np.abs(np.diff(x)) + np.abs(np.diff(y))).max() < 0.25  # of about 17 from end to end


def test_a_short_curve_is_kept_whole():
    curve = DetCurve(np.array([1.0, 0.5, 0.25, 0.0]), np.array([0.0, 0.0, 0.5, 1.0]), 0.4)
    table = det_table({"mu2.cos": curve})
    assert table.columns.tolist() == ["system", "fpr", "fnr"]
    assert table["fpr"].tolist() == [1.0, 0.5, 0.25, 0.0]
    assert table["fnr"].tolist() == [0.0, 0.0, 0.5, 1.0]


def test_every_point_of_the_table_is_a_point_of_its_curve():
    curves = {"mu2.cos": gaussian_curve(3.0), "mu1.cos": gaussian_curve(0.1)}
    table = det_table(curves)
    for system, curve in curves.items():
        points = set(zip(curve.fpr.round(6), curve.fnr.round(6), strict=True))
        own = table[table["system"] == system]
        assert set(zip(own["fpr"], own["fnr"], strict=True)) <= points
        assert len(own) > 50


def banded(curve: DetCurve) -> DetCurve:
    fpr = np.array([0.01, 0.1, 0.5])
    band = DetBand(fpr, np.array([0.2, 0.0512345678, 0.0]), np.array([0.4, 0.1, 0.03]))
    return DetCurve(curve.fpr, curve.fnr, curve.eer, band)


def test_bands_are_laid_out_by_system():
    curves = {"mu2.cos": banded(gaussian_curve(3.0)), "mu2.lda": gaussian_curve(3.5)}
    table = band_table(curves)
    assert table.columns.tolist() == ["system", "fpr", "fnr_low", "fnr_high"]
    assert table["system"].tolist() == ["mu2.cos"] * 3
    assert table["fnr_low"].tolist() == [0.2, 0.051235, 0.0]
    assert table["fnr_high"].tolist() == [0.4, 0.1, 0.03]
    assert band_table({}).columns.tolist() == table.columns.tolist()


def test_a_band_is_drawn_behind_the_cosine_and_no_other_back_end(tmp_path):
    """The picture is that without a band, or it is not."""
    plain = gaussian_curve(2.0)
    pictures = {}
    for system in ("mu2.cos", "mu2.lda"):
        for name, curve in (("plain", plain), ("band", banded(plain))):
            draw_det(tmp_path / "det.png", {system: curve}, "test")
            pictures[system, name] = (tmp_path / "det.png").read_bytes()
    assert pictures["mu2.cos", "plain"] != pictures["mu2.cos", "band"]
    assert pictures["mu2.lda", "plain"] == pictures["mu2.lda", "band"]


def test_no_system_gives_an_empty_table_and_a_figure(tmp_path):
    assert det_table({}).columns.tolist() == ["system", "fpr", "fnr"]
    draw_det(tmp_path / "det.png", {}, "nothing")
    assert (tmp_path / "det.png").stat().st_size > 0


@pytest.mark.parametrize("distance", [0.0, 3.0, 20.0], ids=["chance", "good", "perfect"])
def test_draws_the_same_bytes_twice(tmp_path, distance):
    curves = {"mu2.cos": gaussian_curve(distance), "mu2.lda": gaussian_curve(distance + 0.5)}
    for name in ("first", "again"):
        draw_det(tmp_path / f"{name}.png", curves, "test")
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "again.png").read_bytes()
