"""The page of results, from made-up runs."""

import json
from pathlib import Path

import yaml

from fhvae.report.at_a_glance import against, variance_rows
from fhvae.report.results import claim_rows, results_page
from fhvae.report.tables import read_runs


def test_a_section_without_runs_says_nothing_and_one_with_a_seed_asks_for_no_other(tmp_path):
    plan = {"seeds": [0, 1], "empty": {"title": "Empty", "runs": {"alpha10": []}}}
    plan["own"] = {"title": "Own", "seeds": [7], "runs": {"alpha10": []}}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    (tmp_path / "own").mkdir()
    cell = {"accuracy": 0.5}
    content = {
        "commit": "1a2b3c4d5e",
        "flags": [],
        "metrics": {"probe": {"phone": {"z1": cell}}},
        "wall_s": 7,
    }
    (tmp_path / "own" / "alpha10-seed7.json").write_text(json.dumps(content))
    page, tables = results_page(tmp_path, tmp_path / "plan.yaml")
    assert "Empty" not in page
    assert "## Own" in page
    links = "[probes](results/own-probes.csv), [training](results/own-training.csv)"
    assert f"- Own (commit 1a2b3c4): {links}" in page
    assert tables["own-probes.csv"] == (
        "setting,figure,seed 7,mean (sd)\nalpha10,phone from z1,50.0,50.0\n"
    )


def test_a_section_off_the_page_has_its_headline_beside_it(tmp_path):
    plan = {"seeds": [0, 1], "own": {"title": "Own", "on_page": False}}
    plan["own"]["runs"] = {"alpha10": [], "alpha0": []}
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    (tmp_path / "own").mkdir()
    made_up_runs(tmp_path / "own")
    page, tables = results_page(tmp_path, tmp_path / "plan.yaml")
    assert "## Own" not in page
    assert tables["own-speakers.csv"].splitlines()[1].startswith('"FHVAE, alpha 0","5.0 (1.4)')


def made_up_runs(folder: Path) -> None:
    for setting, eers in {"alpha10": (0.03, 0.05), "alpha0": (0.06, 0.04)}.items():
        for seed, eer in enumerate(eers):
            cell = {"eer": eer, "eer_low": eer - 0.01, "eer_high": eer + 0.01}
            metrics = {"verify": {"mu2": {"cos": cell}}}
            content = {"commit": "1a2b3c4d5e", "flags": [], "metrics": metrics, "wall_s": 7}
            (folder / f"{setting}-seed{seed}.json").write_text(json.dumps(content))


def test_claims_are_counted_seed_by_seed(tmp_path):
    made_up_runs(tmp_path)
    rows = list(claim_rows(read_runs(tmp_path), [0, 1, 2]))
    assert rows == [["closed form", "EER of mu2: alpha 10 below alpha 0", "1 of 2 seeds"]]


def test_variance_is_taken_apart_into_speakers_trainings_and_recognizers(tmp_path):
    """Intervals of 2 * 1.96 points on each side are a deviation of 2; seeds at 10 and 16: 4.2."""
    half = 2 * 1.959964

    def write(section: str, setting: str, seed: int, per: float) -> None:
        cell = {"per": per, "per_low": per - half / 100, "per_high": per + half / 100}
        metrics = {"recognize": {"per": {"z1": {"male": {"female": cell}}}}}
        content = {"commit": "1a2b3c4d5e", "flags": [], "metrics": metrics, "wall_s": 7}
        (tmp_path / section).mkdir(exist_ok=True)
        path = tmp_path / section / f"{setting}-seed{seed}.json"
        path.write_text(json.dumps(content))

    write("default", "alpha10", 0, 0.10)
    write("default", "alpha10", 1, 0.16)
    write("default-recognizer", "recognizer1", 0, 0.11)
    assert list(variance_rows(tmp_path)) == [["PER of z1, male to female", "2.0", "4.2", "0.7"]]


def test_better_is_said_where_the_paired_interval_says_so_and_by_the_way_that_is_better(tmp_path):
    """A lower EER is better, a higher accuracy is; an interval with 0 in it says nothing."""
    (tmp_path / "default").mkdir()
    for seed in (0, 1):
        gains = {
            "pca": {"accuracy": 0.1, "accuracy_low": 0.05, "accuracy_high": 0.15},
            "fbank": {"accuracy": -0.1, "accuracy_low": -0.15, "accuracy_high": -0.05},
        }
        pair = {"eer": -0.02, "eer_low": -0.03, "eer_high": -0.01}
        close = {"eer": -0.02, "eer_low": -0.05, "eer_high": 0.01}
        metrics = {
            "verify": {"difference": {"cos": {"mu2-baseline": pair},
                                      "best": {"mu2-baseline": close}}},
            "probe": {"phone": {"z1_minus": {"linear": gains}}},
        }  # fmt: skip
        content = {"commit": "1a2b3c4d5e", "flags": [], "metrics": metrics, "wall_s": 7}
        (tmp_path / "default" / f"alpha10-seed{seed}.json").write_text(json.dumps(content))
    rows = [line.strip("| ").split(" | ") for line in against(tmp_path).splitlines()[2:]]
    said = [row[1].rsplit("] ")[-1] for row in rows]
    assert said == ["FHVAE better", "level", "FHVAE better", "FHVAE worse"]
