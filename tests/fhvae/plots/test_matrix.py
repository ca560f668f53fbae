"""Heat map of codes and factors: the same bytes twice, other numbers other bytes, holes."""

import copy

from fhvae.plots import matrix
from fhvae.plots.matrix import draw_matrix
from fhvae.probes.questions import CODES, FACTORS

CELLS = {
    "z1": {
        "phone": {"information": 0.72, "low": 0.7, "high": 0.75, "accuracy": 0.7},
        "f0": {"information": -0.1, "low": -0.3, "high": 0.05},
    },
    "mu2": {"phone": {"information": 0.04, "low": 0.03, "high": 0.05, "accuracy": 0.1}},
}


def drawn(path, cells):
    draw_matrix(path, cells)
    return path.read_bytes()


def test_bytes_follow_the_numbers(tmp_path):
    changed = copy.deepcopy(CELLS)
    changed["z1"]["phone"]["high"] = 0.8
    first = drawn(tmp_path / "first.png", CELLS)
    assert drawn(tmp_path / "again.png", CELLS) == first
    assert drawn(tmp_path / "other.png", changed) != first


def test_a_missing_cell_is_not_a_zero(tmp_path):
    filled = copy.deepcopy(CELLS)
    filled["mu2"]["f0"] = {"information": 0.0, "low": 0.0, "high": 0.0}
    assert drawn(tmp_path / "hole.png", CELLS) != drawn(tmp_path / "zero.png", filled)


def test_no_cell_at_all(tmp_path):
    assert drawn(tmp_path / "nothing.png", {})


def test_rows_and_columns_are_those_that_are_probed():
    assert matrix.CODES == CODES
    assert tuple(FACTORS) == matrix.FACTORS
