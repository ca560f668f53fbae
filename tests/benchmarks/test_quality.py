"""The results pages are what the committed runs say, and the plan can be typed."""

import json
from pathlib import Path

import pytest
import yaml

from benchmarks.quality import PLAN, RESULTS, ROOT, planned, write_pages
from benchmarks.quality_table import (
    claim_rows,
    look_up,
    percent,
    put_between,
    read_runs,
    results_page,
    spread,
)
from fhvae.params.whole import load_params


def test_pages_are_those_of_the_committed_runs(tmp_path):
    """No number is typed by hand: writing them again changes nothing."""
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "docs/results.md"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    write_pages(tmp_path)
    for name in ("README.md", "docs/results.md"):
        assert (tmp_path / name).read_text() == (ROOT / name).read_text(), "run `make results`"


def corpora():
    return [name for name in yaml.safe_load(PLAN.read_text()) if name != "seeds"]


@pytest.mark.parametrize("corpus", corpora())
def test_every_flag_of_the_plan_is_a_param(corpus, tmp_path):
    for run in planned(corpus):
        values = yaml.safe_load((ROOT / "params.yaml").read_text())
        for flag in run.flags:
            key, text = flag.split("=")
            *sections, last = key.split(".")
            inner = values
            for section in sections:
                inner = inner[section]
            assert last in inner, flag
            inner[last] = yaml.safe_load(text)
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
        assert load_params(tmp_path / "params.yaml").seed == run.seed


def test_the_paper_size_has_the_flags_of_its_profile():
    (run,) = planned("speechocean762-paper")
    profile = (ROOT / "profiles" / "paper").read_text().split()[1::2]
    assert [flag for flag in run.flags if flag in profile] == profile


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


def test_committed_runs_belong_to_the_plan():
    names = {run.result for corpus in corpora() for run in planned(corpus)}
    found = set(RESULTS.glob("*/*.json"))
    assert found
    assert found <= names


def test_the_default_run_is_the_committed_one():
    """The pages and metrics/ come from the same numbers: alpha 10, seed 0, bit for bit."""
    run = json.loads((RESULTS / "default" / "alpha10-seed0.json").read_text())
    for name, metrics in run["metrics"].items():
        assert json.loads((ROOT / "metrics" / f"{name}.json").read_text()) == metrics, name


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


def test_cells_by_hand(tmp_path):
    made_up_runs(tmp_path)
    run = read_runs(tmp_path)["alpha10"][0]
    assert percent(run, "verify.mu2.cos.eer") == "3.0 [2.0, 4.0]"
    assert percent(run, "verify.mu1.cos.eer") == "absent"
    assert look_up(run, "wall_s") == 7
    assert spread([0.03, 0.05]) == "4.0 (1.4)"
    assert spread([0.03]) == "3.0"
    assert put_between("a <b> old <e> c", "<b>", "<e>", "new ") == "a <b>\nnew <e> c"
