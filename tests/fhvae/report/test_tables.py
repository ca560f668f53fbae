"""Cells and tables by hand."""

import math

import pytest

from fhvae.report.tables import cell, limits_of, put_between, spread, table


def run(eer: float) -> dict:
    found = {"eer": eer, "eer_low": eer - 0.01, "eer_high": eer + 0.02, "mindcf_p01": 0.5}
    return {"verify": {"mu2": {"cos": found}}}


def test_a_cell_is_the_mean_the_spread_and_the_interval_over_speakers_and_seeds():
    runs = {0: run(0.03), 1: run(0.05)}
    # Two seeds: one degree of freedom for their spread, and 0 is the least that an EER can be.
    assert cell(runs, "verify.mu2.cos.eer") == "4.0 (1.4) [0.0, 13.6]"
    assert cell({0: runs[0]}, "verify.mu2.cos.eer") == "3.0 [2.0, 5.0]"
    assert cell({0: runs[0], 1: runs[0]}, "verify.mu2.cos.eer") == "3.0 (0.0) [2.0, 5.0]"
    assert cell(runs, "verify.mu2.cos.mindcf_p01", 1, 2) == "0.50 (0.00)"
    assert cell(runs, "verify.mu9.cos.eer") == "-"


@pytest.mark.parametrize(
    ("key", "limits"),
    [
        ("verify.mu2.cos.eer", (0, 1)),
        ("verify.difference.cos.mu2-ivector.eer", (-math.inf, math.inf)),
        ("probe.phone.z1.accuracy", (0, 1)),
        ("hand_labels.phone.z1_minus.pca.accuracy", (-math.inf, math.inf)),
        ("recognize.per.z1.clean.noise10.per", (0, math.inf)),
        ("probe.snr.z1.r2", (-math.inf, math.inf)),
    ],
)
def test_only_rates_are_cut_to_what_a_rate_can_be(key, limits):
    assert limits_of(key) == limits


def test_an_eer_of_few_errors_is_marked():
    many, few = run(0.05), run(0.03)
    many["verify"]["mu2"]["cos"]["rule_of_30"] = 1
    few["verify"]["mu2"]["cos"]["rule_of_30"] = 0
    assert cell({0: many}, "verify.mu2.cos.eer") == "5.0 [4.0, 7.0]"
    assert cell({0: few}, "verify.mu2.cos.eer") == "3.0 [2.0, 5.0] (<30)"
    assert cell({0: many, 1: few}, "verify.mu2.cos.eer").endswith("] (<30)")
    assert cell({0: few}, "verify.mu2.cos.mindcf_p01", 1, 2) == "0.50"


def test_a_table_without_rows_is_no_table():
    assert table(["a", "b"], []) == ""
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"


def test_a_spread_needs_two_values_and_a_mean_one():
    assert spread([0.03, 0.05]) == "4.0 (1.4)"
    assert spread([0.03]) == "3.0"
    assert spread([1.0, 2.0], 1, 2) == "1.50 (0.71)"
    assert spread([]) == ""


def test_what_stands_between_markers_is_replaced():
    assert put_between("a <b> old <e> c", "<b>", "<e>", "new ") == "a <b>\nnew <e> c"
