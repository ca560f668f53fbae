"""What the page reads: exact values, and a sentence for each file that a stage did not write so."""

import json

import pytest

from fhvae.errors import ArtifactError
from fhvae.files.metrics import read_metrics
from fhvae.report.figures.learning_curve import DRAWN
from fhvae.report.run_page.page import why_no_sound
from fhvae.report.run_page.readers import read_curve, read_summary
from fhvae.report.run_page.values import summary_tables

HEADER, CELLS = ",".join(["epoch", *DRAWN]), ",1" * len(DRAWN)
CITED = {"from": "recognize.gap.gain", "better": "higher", "low": 0.2, "high": 0.2667}
RECOGNIZE = {"recognize": {"gap": {"gain": 0.233491, "gain_low": 0.200449, "gain_high": 0.26654}}}


def write(folder, summary: dict, beside: dict) -> None:
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "summary_intervals.json").write_text(json.dumps(beside))


def test_a_value_is_not_rounded_twice(tmp_path):
    """0.2335 would be 23.4 %, and 0.233491 is 23.3 %."""
    write(tmp_path, {"gain_mf": 0.2335}, {"cited": {"gain_mf": CITED}, "absent": {}})
    tables = {one.caption: one for one in summary_tables(read_summary(tmp_path, RECOGNIZE))}
    assert tables["Mismatch"].rows[0][1:3] == ("23.3", "[20.0, 26.7]")
    alone = read_summary(tmp_path, {})  # of a stage whose metrics are gone
    assert (alone.values["gain_mf"], alone.cited["gain_mf"]["high"]) == (0.2335, 0.2667)


def test_a_word_of_the_arithmetic_is_no_value(tmp_path):
    write(tmp_path, {"arithmetic": "fast"}, {"cited": {}, "absent": {}})
    assert read_summary(tmp_path, {}).values == {}


@pytest.mark.parametrize(
    ("summary", "beside", "said"),
    [
        ({"eer_mu2": None}, {}, "summary.json: eer_mu2 must have a value .*, it is null"),
        ({}, {"absent": {}}, "summary_intervals.json must have cited, it has none"),
        ({}, {"cited": {}, "absent": 1}, "summary_intervals.json must have absent, it has none"),
        (
            {"eer_mu2": 0.1},
            {"cited": {}, "absent": {}},
            "summary_intervals.json must say of eer_mu2 where it comes from .*, it does not",
        ),
        (
            {"eer_mu2": 0.1},
            {"cited": {"eer_mu2": {"from": "a"}}, "absent": {}},
            "summary_intervals.json must say of eer_mu2 where it comes from .*, it does not",
        ),
    ],
)
def test_a_broken_summary_is_named(tmp_path, summary, beside, said):
    write(tmp_path, summary, beside)
    with pytest.raises(ArtifactError, match=f"{said}; rerun the stage summary$"):
        read_summary(tmp_path, {})


def test_a_null_in_metrics_is_named_with_its_key(tmp_path):
    (tmp_path / "verify.json").write_text('{"mu2": {"cos": {"n": 3, "eer": null}}}')
    said = r"verify\.json: mu2\.cos\.eer must have a value .*, it is null; rerun the stage verify$"
    with pytest.raises(ArtifactError, match=said):
        read_metrics(tmp_path / "verify.json")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "must have a header line, it is empty"),
        ("epoch,dev_lower_bound\n", "column train_lower_bound must be there once"),
        (f"{HEADER}\n", "must have a row per epoch, from 1 on"),
        (f"{HEADER}\n2{CELLS}\n", "must have a row per epoch, from 1 on"),
        (f"{HEADER}\n1{CELLS}\n1{CELLS}\n", "must have a row per epoch, from 1 on"),
        (f"{HEADER}\n1,much{CELLS[2:]}\n", "row 2: train_lower_bound must be a finite number"),
    ],
)
def test_a_broken_learning_curve_is_named(tmp_path, text, found):
    (tmp_path / "learning_curve.csv").write_text(text)
    said = rf"learning_curve\.csv.* {found}.*; rerun the stage train$"
    with pytest.raises(ArtifactError, match=said):
        read_curve(tmp_path, DRAWN)


def test_a_page_needs_few_columns_of_the_curve(tmp_path):
    (tmp_path / "learning_curve.csv").write_text("epoch,dev_lower_bound\n1,-2.5\n")
    assert read_curve(tmp_path).to_dict("list") == {"epoch": [1], "dev_lower_bound": [-2.5]}


def test_a_learning_curve_that_is_missing_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"curve\.csv must exist; rerun the stage train"):
        read_curve(tmp_path)


def test_a_page_without_sound_says_whether_one_was_asked_for():
    assert why_no_sound(0) == "No sound was asked for: listening.examples is 0."
    assert "under what is weak" in why_no_sound(3)
