"""Figures of the page: words and tables of the numbers, also where a corpus lacks labels."""

import json

import pandas as pd
import pytest

from fhvae.report.run_page.gallery import WORDS
from tests.figure_factory import EMPTY, POOR, REASON, RICH
from tests.tiny import ROOT

LEARNING = pd.read_csv(ROOT / "plots/learning_curve.csv")
STAGES = ("verify", "probe", "recognize", "recognize_baselines", "train")
OWN = {name: json.loads((ROOT / f"metrics/{name}.json").read_text()) for name in STAGES}


@pytest.mark.parametrize("metrics", [RICH, POOR, EMPTY, OWN], ids=["rich", "poor", "empty", "own"])
@pytest.mark.parametrize("name", WORDS)
def test_every_figure_has_words_and_square_tables(name, metrics):
    words = WORDS[name]
    assert words.alternative(metrics, LEARNING).endswith(".")
    for table in words.tables(metrics, LEARNING):
        assert {len(row) for row in table.rows} <= {len(table.header)}


def test_error_rates_are_those_of_their_system():
    assert WORDS["det"].alternative(RICH, LEARNING).endswith("mu2, cos 16.0 %.")
    (table,) = WORDS["det"].tables(RICH, LEARNING)
    assert table.rows[0] == ("mu2, cos", "16.0 [10.0, 30.0]", "-", "-")


def test_the_matrix_of_mismatch_has_a_row_for_each_side_trained_on():
    per = {
        "clean": {"clean": {"per": 0.05}, "noise0": {"per": 1.2}, "noise10": {"per": 0.8}},
        "male": {"clean": {"per": 0.25}},
    }
    (table,) = WORDS["mismatch"].tables({"recognize": {"per": {"z1": per}}}, LEARNING)
    assert table.header == ["trained on, tested on", "clean", "noise10", "noise0"]
    assert table.rows == [["clean", "5.0", "80.0", "120.0"], ["male", "25.0", "-", "-"]]
    assert table.shades == [
        [0.05, 0.8, 1.0],
        [0.25, 0.0, 0.0],
    ]  # insertions may bring a rate above 1


def test_a_regression_that_failed_says_only_that():
    (table,) = WORDS["matrix"].tables(POOR, LEARNING)
    assert table.rows == [("z1", "<-100")]


@pytest.mark.parametrize("name", ["probe", "mismatch"])
def test_the_reason_is_said_where_nothing_was_computed(name):
    assert REASON in WORDS[name].alternative(EMPTY, LEARNING)


def test_the_table_of_epochs_is_the_curve():
    (table,) = WORDS["learning_curve"].tables(OWN, LEARNING)
    assert len(table.rows) == len(LEARNING)
    assert table.rows[0] == ["1", "-1344.0", "-1256.3", "36.8", "10.0", "16.7", "28.3"]
