"""Heat map of codes and factors: colors and numbers are those of the cell, holes stay empty."""

import numpy as np
import pytest

from fhvae.probes.questions import CODES, FACTORS
from fhvae.report.figures import matrix
from fhvae.report.figures.drawing import DARK_TEXT
from fhvae.report.figures.matrix import draw_matrix

CELLS = {
    "z1": {
        "phone": {"information": 0.72, "low": 0.7, "high": 0.75, "accuracy": 0.7},
        "f0": {"information": -0.1, "low": -29.45, "high": 0.05},
        "sex": {"information": 0.31},
    },
    "mu2": {"phone": {"information": 0.04, "low": 0.03, "high": 0.05, "accuracy": 0.1}},
}


@pytest.fixture
def axes(tmp_path, figures):
    draw_matrix(tmp_path / "matrix.png", CELLS)
    (found,) = figures[-1].axes
    return found


def test_rows_are_codes_and_columns_factors(axes):
    assert [label.get_text() for label in axes.get_yticklabels()] == ["z1", "mu2"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["phone", "mean log F0", "sex"]


def test_a_color_stands_for_the_information_between_0_and_1(axes):
    (image,) = axes.images
    assert image.get_clim() == (0, 1)
    shown = image.get_array()
    np.testing.assert_array_equal(shown.mask, [[False, False, False], [False, True, True]])
    assert shown.filled(-1).tolist() == [[0.72, 0.0, 0.31], [0.04, -1, -1]]
    dark, light = (sum(image.cmap(value)[:3]) for value in (0.0, 1.0))
    assert dark < light  # more information is brighter


def test_the_numbers_are_those_of_the_cell_below_them(axes):
    said = {}
    for text in axes.texts:
        said.setdefault(text.xy, []).append(text.get_text())
    assert said == {
        (0, 0): ["72", "70 to 75"],
        (1, 0): ["-10", "<-100 to 5"],  # an R2 has no end downwards
        (2, 0): ["31"],  # of few speakers there is no interval
        (0, 1): ["4", "3 to 5"],
    }


def test_numbers_can_be_read_on_their_color(axes):
    colors = {text.xy: text.get_color() for text in axes.texts}
    assert colors == {(0, 0): DARK_TEXT, (1, 0): "white", (2, 0): "white", (0, 1): "white"}


def test_no_cell_at_all(tmp_path, figures):
    draw_matrix(tmp_path / "nothing.png", {})
    assert [text.get_text() for text in figures[-1].texts] == [matrix.TITLE, matrix.NOTHING]


def test_rows_and_columns_are_those_that_are_probed():
    assert matrix.CODES == CODES
    assert tuple(FACTORS) == matrix.FACTORS
