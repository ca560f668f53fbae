"""The page of results, from made-up runs."""

import json
from pathlib import Path

import yaml

from fhvae.report.page import claim_rows, results_page
from fhvae.report.tables import read_runs


def test_a_section_without_runs_says_nothing_and_one_with_a_seed_asks_for_no_other(tmp_path):
    plan = {"seeds": [0, 1], "empty": {"title": "Empty", "runs": {"alpha10": []}}}
    plan["own"] = {"title": "Own", "seeds": [7], "runs": {"alpha10": []}}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    (tmp_path / "own").mkdir()
    cell = {"accuracy": 0.5}
    content = {"flags": [], "metrics": {"probe": {"phone": {"z1": cell}}}, "wall_s": 7}
    (tmp_path / "own" / "alpha10-seed7.json").write_text(json.dumps(content))
    page = results_page(tmp_path, tmp_path / "plan.yaml")
    assert "Empty" not in page
    assert "## Own" in page
    assert "| setting | figure | seed 7 | mean (sd) |" in page


def made_up_runs(folder: Path) -> None:
    for setting, eers in {"alpha10": (0.03, 0.05), "alpha0": (0.06, 0.04)}.items():
        for seed, eer in enumerate(eers):
            cell = {"eer": eer, "eer_low": eer - 0.01, "eer_high": eer + 0.01}
            metrics = {"verify": {"mu2": {"cos": cell}}}
            content = {"flags": [], "metrics": metrics, "wall_s": 7}
            (folder / f"{setting}-seed{seed}.json").write_text(json.dumps(content))


def test_claims_are_counted_seed_by_seed(tmp_path):
    made_up_runs(tmp_path)
    rows = list(claim_rows(read_runs(tmp_path), [0, 1, 2]))
    assert rows == [["closed form", "EER of mu2: alpha 10 below alpha 0", "1 of 2 seeds"]]
