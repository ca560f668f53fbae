"""The running table: our rows from the metrics, the published ones marked and below."""

import pytest

from fhvae.report.sequential import STATIC_DYNAMIC, published_rows, static_dynamic_rows


def run() -> dict:
    codes = {
        "static": {"eer_fa": 0.03, "eer": 0.04},
        "dynamic": {"eer_fa": 0.2, "eer": 0.25},
        "dynamic_sample": {"eer_fa": 0.35, "eer": 0.45},
        "gap": {"eer_fa": 0.17, "eer_fa_low": 0.1, "eer_fa_high": 0.2, "eer": 0.21},
        "gap_sample": {"eer_fa": 0.32, "eer": 0.41},
    }
    probe = {"phone": {"z1": {"accuracy": 0.84}}}
    return {"verify": {"static_dynamic": codes}, "probe": probe}


def test_our_rows_are_by_both_rules_and_for_a_mean_and_a_sample():
    rows = list(static_dynamic_rows({"alpha30": {0: run()}}))
    assert rows[:3] == [
        ["FHVAE, alpha 30", "eer_fa, z1 a sample", "3.0", "35.0", "32.0", "84.0"],
        ["FHVAE, alpha 30", "eer_fa, z1 its mean", "3.0", "20.0", "17.0 [10.0, 20.0]", "84.0"],
        ["FHVAE, alpha 30", "EER, z1 its mean", "4.0", "25.0", "21.0", "84.0"],
    ]
    assert rows[3:] == list(published_rows())
    assert {len(row) for row in rows} == {len(STATIC_DYNAMIC)}


def test_published_rows_are_marked_and_stand_beside_ours_alone():
    assert list(static_dynamic_rows({"alpha10": {0: {}}})) == []
    rows = list(published_rows())
    assert len(rows) == 8
    assert all(row[0].startswith("published, not ours: ") for row in rows)


@pytest.mark.parametrize(
    ("system", "gap"), [("DBSE, TIMIT", "31.1"), ("DiffSDA, LibriSpeech", "34.9")]
)
def test_a_published_gap_is_dynamic_minus_static(system, gap):
    (row,) = [row for row in published_rows() if row[0].endswith(system)]
    assert row[4] == gap
