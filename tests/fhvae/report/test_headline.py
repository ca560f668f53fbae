"""The headline table by hand: cells, and rows that have no figure."""

import pytest

from fhvae.intervals import Interval
from fhvae.report.headline import (
    SYSTEMS,
    content_rows,
    difference_rows,
    gap_key,
    per_key,
    verdict,
    verification_rows,
    warnings_of,
)
from fhvae.report.tables import with_leaks


def run(mu2: float, phone_z1: float, better: str = "mu2", gain_low: float = 0.02) -> dict:
    eer = {"eer": mu2, "eer_low": mu2 - 0.01, "eer_high": mu2 + 0.02, "mindcf_p01": 0.5}
    gap = {"defined": 1, "gain": 0.05, "gain_low": gain_low, "gain_high": 0.08, "cost": 0.11}
    difference = {"eer": -0.02, "eer_low": -0.03, "eer_high": -0.01, "better": better}
    return {
        "verify": {
            "mu2": {"cos": eer, "best": {**eer, "backend": "plda"}},
            "difference": {"cos": {"mu2-ivector": difference}},
        },
        "probe": {"phone": {"z1": {"accuracy": phone_z1}, "pca": {"accuracy": 0.5}}},
        "recognize": {"gap": {"z1": {"male": {"female": gap}}}},
    }


def test_without_intervals_a_difference_has_no_verdict_and_a_warning_is_given():
    metrics = run(0.03, 0.6)
    metrics["verify"]["difference"]["cos"]["mu2-ivector"] = {"eer": -0.02}
    metrics["verify"]["absent"] = {"intervals": "there are 4 speakers"}
    rows = list(difference_rows({"alpha10": {0: metrics}}))
    assert rows == [["cos", "mu2 minus ivector", "-2.0", "no verdict", "1 no verdict"]]
    assert warnings_of(metrics) == ["WARNING: no intervals and no verdicts: there are 4 speakers."]
    assert warnings_of(run(0.03, 0.6)) == []


def test_few_errors_behind_an_eer_are_counted_below_the_table():
    metrics = run(0.03, 0.6)
    metrics["verify"]["mu2"]["cos"] |= {"rule_of_30": 0, "n_err_eer": 17}
    assert warnings_of(metrics) == ["(<30): fewer than 30 target trials missed, mu2 17 (cosine)."]


@pytest.mark.parametrize(
    ("difference", "better"),
    [
        (Interval(-2.0, -3.0, -1.0), "mu2"),
        (Interval(2.0, 1.0, 3.0), "ivector"),
        (Interval(0.5, -1.0, 2.0), "neither"),
        (Interval(0.5), "no verdict"),
        (None, "no verdict"),
    ],
)
def test_better_is_who_errs_less_beyond_the_interval(difference, better):
    assert verdict("mu2-ivector", difference) == better


def test_every_system_has_a_row_also_where_it_has_no_figure():
    rows = {row[0]: row[1:] for row in verification_rows({"alpha10": {0: run(0.03, 0.6)}})}
    assert set(rows) == {system.title for system in SYSTEMS if system.vector}
    assert rows["FHVAE, alpha 10"][:2] == ["3.0 [2.0, 5.0]", "3.0 [2.0, 5.0] plda"]
    assert set(rows["FHVAE, alpha 0"]) == {"-"}


def test_the_content_eer_is_that_of_the_strongest_attacker_on_dev():
    made = run(0.03, 0.6)
    of_z1 = {"cos": {"eer": 0.4, "dev_eer": 0.4}, "plda": {"eer": 0.06, "dev_eer": 0.05}}
    made["verify"]["mu1"] = {**of_z1, "lda": {"eer": 0.01, "dev_eer": 0.3}}
    rows = {row[0]: row for row in verification_rows({"alpha10": {0: with_leaks(made)}})}
    assert rows["FHVAE, alpha 10"][-1] == "6.0"
    assert rows["PCA, size of z1"][-1] == "-"


def test_content_rows_leave_out_systems_without_codes_or_runs():
    titles = [row[0] for row in content_rows({"alpha10": {0: run(0.03, 0.6)}})]
    assert "i-vector" not in titles
    assert "FHVAE, alpha 0" not in titles
    assert "FHVAE, alpha 10" in titles
    assert titles[0] == "FBANK, topline"


def test_gain_and_cost_stand_before_what_is_recovered():
    rows = {row[0]: row[1:] for row in content_rows({"alpha10": {0: run(0.03, 0.6)}})}
    assert rows["FHVAE, alpha 10"][2:5] == ["5.0 [2.0, 8.0]", "11.0", "-"]


def test_baselines_are_looked_up_in_their_own_stage():
    assert per_key("fbank", "male", "female") == "recognize_baselines.per.fbank.male.female.per"
    assert gap_key("z1", "male", "female") == "recognize.gap.z1.male.female.recovered"


def test_verdicts_are_counted_over_seeds():
    runs = {"alpha10": {0: run(0.03, 0.6), 1: run(0.03, 0.6, better="neither")}}
    assert list(difference_rows(runs)) == [
        ["cos", "mu2 minus ivector", "-2.0 (0.0) [-3.0, -1.0]", "mu2", "1 mu2, 1 neither"]
    ]
