"""Cells and tables by hand."""

from fhvae.report.tables import cell, put_between, spread, table


def run(eer: float) -> dict:
    found = {"eer": eer, "eer_low": eer - 0.01, "eer_high": eer + 0.02, "mindcf_p01": 0.5}
    return {"verify": {"mu2": {"cos": found}}}


def test_a_cell_is_the_mean_the_spread_and_the_hull_of_the_intervals():
    runs = {0: run(0.03), 1: run(0.05)}
    assert cell(runs, "verify.mu2.cos.eer") == "4.0 (1.4) [2.0, 7.0]"
    assert cell({0: runs[0]}, "verify.mu2.cos.eer") == "3.0 [2.0, 5.0]"
    assert cell(runs, "verify.mu2.cos.mindcf_p01", 1, 2) == "0.50 (0.00)"
    assert cell(runs, "verify.mu9.cos.eer") == "-"


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
