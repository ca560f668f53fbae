"""The tolerances of .ci/compare_metrics.py."""

import json
import subprocess
import sys
from pathlib import Path

import compare_metrics
import pytest

SCRIPT = Path(compare_metrics.__file__)


def too_far(committed, found):
    return [d.key for d in compare_metrics.compare(committed, found) if not d.agrees]


@pytest.mark.parametrize(
    ("committed", "found", "expected"),
    [
        pytest.param(0.10, 0.139, [], id="fraction-near"),
        pytest.param(0.10, 0.141, ["verify.x"], id="fraction-far"),
        pytest.param(0.0, 0.039, [], id="fraction-from-zero"),
        pytest.param(-280.0, -293.0, [], id="nats-near"),
        pytest.param(-280.0, -295.0, ["verify.x"], id="nats-far"),
        pytest.param(1.5, -1.5, ["verify.x"], id="sign"),
        pytest.param(672, 673, ["verify.x"], id="count"),
        pytest.param(1, 1.0, ["verify.x"], id="a-count-became-a-fraction"),
        pytest.param(0, False, ["verify.x"], id="a-count-became-a-flag"),
        pytest.param("cpu", "gpu", ["verify.x"], id="name"),
        pytest.param(None, 0.0, ["verify.x"], id="absent-value-became-zero"),
    ],
)
def test_tolerance_by_kind_of_value(committed, found, expected):
    assert too_far({"verify": {"x": committed}}, {"verify": {"x": found}}) == expected


def test_mindcf_may_move_further_than_other_fractions():
    committed = {"verify": {"mu2": {"cos": {"eer": 0.5, "mindcf_p01": 0.5}}}}
    found = {"verify": {"mu2": {"cos": {"eer": 0.59, "mindcf_p01": 0.59}}}}
    assert too_far(committed, found) == ["verify.mu2.cos.eer"]
    found["verify"]["mu2"]["cos"] = {"eer": 0.5, "mindcf_p01": 0.61}
    assert too_far(committed, found) == ["verify.mu2.cos.mindcf_p01"]


def test_a_metric_that_came_or_went_is_told():
    committed = {"verify": {"mu2": {"eer": 0.1}}, "probe": {"chance": 0.2}}
    found = {"verify": {"mu2": {"eer": 0.1}, "mu1": {"eer": 0.4}}}
    assert too_far(committed, found) == ["probe.chance", "verify.mu1.eer"]


def test_early_stopping_may_end_elsewhere_but_must_be_told():
    committed = {"train": {"best_epoch": 14, "steps": 4200}}
    assert too_far(committed, {"train": {"best_epoch": 9, "steps": 2700}}) == []
    assert too_far(committed, {"train": {"best_epoch": 9}}) == ["train.steps"]
    shown = compare_metrics.compare(committed, {"train": {"best_epoch": 9, "steps": 4200}})
    assert [str(difference).split() for difference in shown] == [
        ["ok", "train.best_epoch:", "14", "->", "9"]
    ]


def test_choices_on_dev_are_not_judged_but_counts_are():
    committed = {"probe": {"z1": {"penalty": 0.1}, "segments": 9}, "latents": {"active_z1": 3}}
    found = {"probe": {"z1": {"penalty": 1e-05}, "segments": 8}, "latents": {"active_z1": 4}}
    assert too_far(committed, found) == ["latents.active_z1", "probe.segments"]
    by_split = [{"latents": {"test": {"active_z1": count}}} for count in (3, 4)]
    assert too_far(*by_split) == []


def test_exact_allows_nothing():
    differences = compare_metrics.compare({"a": {"x": 0.5}}, {"a": {"x": 0.500001}}, exact=True)
    assert [difference.agrees for difference in differences] == [False]


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/a.json").write_text(json.dumps({"eer": 0.1, "trials": 3}))
    for command in (
        ["git", "init", "-q"],
        ["git", "config", "user.name", "tester"],
        ["git", "config", "user.email", "tester@example.org"],
        ["git", "add", "metrics"],
        ["git", "commit", "-q", "-m", "Metrics"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True)
    return tmp_path


def run_in(folder, *options):
    command = [sys.executable, SCRIPT, *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_command_compares_with_the_commit(repository):
    same = run_in(repository, "--exact")
    assert (same.returncode, same.stdout.split()[-8:-6]) == (0, ["0", "values"])
    (repository / "metrics/a.json").write_text(json.dumps({"eer": 0.11, "trials": 3}))
    near = run_in(repository)
    assert near.returncode == 0
    assert "ok  a.eer: 0.1 -> 0.11" in near.stdout
    (repository / "metrics/a.json").write_text(json.dumps({"eer": 0.11, "trials": 4}))
    far = run_in(repository)
    assert far.returncode == 1
    assert "BAD a.trials: 3 -> 4" in far.stdout


@pytest.mark.parametrize("options", [[], ["--exact"]], ids=["tolerant", "exact"])
def test_figures_of_one_processor_are_refused_even_where_they_are_equal(repository, options):
    fast = {"eer": 0.1, "trials": 3, "arithmetic": "of this processor (FHVAE_FAST=1)"}
    (repository / "metrics/a.json").write_text(json.dumps(fast))
    subprocess.run(["git", "commit", "-q", "-a", "-m", "Fast"], cwd=repository, check=True)
    answer = run_in(repository, *options)
    assert answer.returncode == 1
    assert "BAD a: arithmetic of this processor (FHVAE_FAST=1)" in answer.stdout


def test_the_command_refuses_a_commit_without_metrics(repository):
    subprocess.run(["git", "rm", "-q", "--cached", "metrics/a.json"], cwd=repository, check=True)
    subprocess.run(["git", "commit", "-q", "-m", "Gone"], cwd=repository, check=True)
    answer = run_in(repository)
    assert answer.returncode == 1
    assert "error: HEAD must hold metrics/*.json" in answer.stdout


@pytest.mark.parametrize("half", ['{"eer": 0.1', "", "\0", "[1]", "[" * 100_000, "\xff"])
def test_half_a_file_is_one_sentence(repository, half):
    (repository / "metrics/a.json").write_text(half, encoding="latin-1")
    answer = run_in(repository)
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: metrics/a.json must be metrics as JSON, it is not;")
    assert answer.stderr.count("\n") == 1


def test_half_a_file_of_the_commit_is_one_sentence(repository):
    (repository / "metrics/a.json").write_text('{"eer"')
    subprocess.run(["git", "commit", "-q", "-a", "-m", "Half"], cwd=repository, check=True)
    (repository / "metrics/a.json").write_text('{"eer": 0.1}')
    answer = run_in(repository)
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: metrics/a.json of HEAD must be metrics as JSON")


def test_an_unknown_base_is_one_sentence(repository):
    answer = run_in(repository, "--base", "nowhere")
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: git ls-tree --name-only nowhere metrics/ must answer")
    assert answer.stderr.count("\n") == 1
