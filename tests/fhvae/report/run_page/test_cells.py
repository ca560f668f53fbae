"""How numbers are written: as short as they may be, and never on the wrong side of 0."""

import pytest

from fhvae.report.run_page.cells import interval, value_with_interval


@pytest.mark.parametrize(
    ("low", "value", "high", "wanted"),
    [
        (-0.027, -0.014, 0.013, "-1.4 [-2.7, 1.3]"),
        (-0.0272, -0.0141, -0.0004, "-1.41 [-2.72, -0.04]"),
        (0.000049, 0.01, 0.02, "1.000 [0.005, 2.000]"),
        (-0.02, -0.01, -0.000001, "-1.0000 [-2.0000, -0.0001]"),
        (0.0, 0.01, 0.02, "1.0 [0.0, 2.0]"),
        (-0.02, -0.01, -0.0, "-1.0 [-2.0, 0.0]"),
    ],
)
def test_an_end_beside_zero_has_the_digits_to_show_it(low, value, high, wanted):
    item = {"eer": value, "eer_low": low, "eer_high": high}
    assert value_with_interval(item, "eer") == wanted
    assert interval(item, "eer") == wanted.partition(" ")[2]


def test_what_is_not_there_is_not_written():
    assert value_with_interval({}, "eer") == "-"
    assert value_with_interval({"eer": 0.1}, "eer") == "10.0"
