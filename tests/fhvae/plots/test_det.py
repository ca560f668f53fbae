"""The DET curve: the same bytes twice, a band behind the cosine, the EERs of the metrics."""

import copy

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from fhvae.plots.det import draw_det
from fhvae.trials import ErrorCurve

NO_BANDS = pd.DataFrame(columns=["system", "fpr", "fnr_low", "fnr_high"])
METRICS = {
    "trials": {"target": 3, "nontarget": 12, "sha256": ""},
    "speakers": 4,
    "mu2": {"cos": {"eer": 0.16}, "plda": {"eer": 0.1}},
}


def curve(distance: float) -> ErrorCurve:
    """Scores of both kinds are normal, `distance` apart: a straight line in deviates."""
    thresholds = np.linspace(-8, 8 + distance, 150)
    return ErrorCurve(thresholds, norm.cdf(thresholds - distance), norm.sf(thresholds))


def band(system: str) -> pd.DataFrame:
    rates = {"fpr": [0.01, 0.1, 0.5], "fnr_low": [0.2, 0.05, 0.0], "fnr_high": [0.4, 0.1, 0.03]}
    return pd.DataFrame({"system": system, **rates})


def test_a_band_is_drawn_behind_the_cosine_and_no_other_back_end(tmp_path):
    """The picture is that without a band, or it is not."""
    path, pictures = tmp_path / "det.png", {}
    for system in ("mu2.cos", "mu2.plda"):
        for name, bands in (("plain", NO_BANDS), ("band", band(system))):
            draw_det(path, {system: curve(2.0)}, bands, METRICS)
            pictures[system, name] = path.read_bytes()
    assert pictures["mu2.cos", "plain"] != pictures["mu2.cos", "band"]
    assert pictures["mu2.plda", "plain"] == pictures["mu2.plda", "band"]


def test_no_system_gives_a_figure(tmp_path):
    draw_det(tmp_path / "det.png", {}, NO_BANDS, METRICS)
    assert (tmp_path / "det.png").stat().st_size > 0


@pytest.mark.parametrize("distance", [0.0, 3.0, 20.0], ids=["chance", "good", "perfect"])
def test_draws_the_same_bytes_twice(tmp_path, distance):
    curves = {"mu2.cos": curve(distance), "mu2.plda": curve(distance + 0.5)}
    for name in ("first", "again"):
        draw_det(tmp_path / f"{name}.png", curves, band("mu2.cos"), METRICS)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "again.png").read_bytes()


def change_eer(metrics):
    metrics["mu2"]["plda"]["eer"] = 0.2


def change_trials(metrics):
    metrics["trials"]["nontarget"] = 13


@pytest.mark.parametrize("change", [change_eer, change_trials])
def test_legend_and_title_are_those_of_the_metrics(tmp_path, change):
    curves = {"mu2.cos": curve(2.0), "mu2.plda": curve(2.5)}
    other = copy.deepcopy(METRICS)
    change(other)
    for name, metrics in (("before", METRICS), ("after", other)):
        draw_det(tmp_path / name, curves, NO_BANDS, metrics)
    assert (tmp_path / "before").read_bytes() != (tmp_path / "after").read_bytes()
