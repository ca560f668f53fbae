"""The real pipeline on a tiny corpus, in a temporary clone: kill, resume, repeat, change.

One history is played once (fixture `history`); each test asks one thing about it.
"""

import csv
from dataclasses import dataclass

import pytest
import yaml

from tests.tiny_clone import RESULTS, Clone, tiny_clone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

SHORT = ("--only-changed", "--drop", r"Created|State|Executor|.*/")  # as in docs/metrics.md
MOST_COLUMNS = 30


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return tiny_clone(tmp_path_factory.mktemp("tiny"))


@dataclass(frozen=True)
class History:
    """What each command printed, and the results it left."""

    weights_after_kill: list[str]
    resumed: str
    results_resumed: dict[str, bytes]
    repeated: str
    forced: str
    results_forced: dict[str, bytes]
    git_status: str
    alpha_zero: str
    after_temp: str
    shown: str
    metrics_diff: str
    params_diff: str
    in_the_tree: str
    back_to_ten: str
    refused: str
    left_behind: str
    after_restore: str
    status: str


@pytest.fixture(scope="module")
def history(clone: Clone) -> History:
    clone.kill_at_first_checkpoint("dvc", "repro")
    weights_after_kill = [str(path) for path in (clone.folder / "models").rglob("*.safetensors")]
    resumed = clone.run("dvc", "repro")
    results_resumed = clone.results()
    repeated = clone.run("dvc", "repro")
    forced = clone.run("dvc", "repro", "--force", workers=1)
    results_forced = clone.results()
    git_status = clone.run("git", "status", "--porcelain")
    clone.run("git", "add", "-A")
    clone.run("git", "commit", "-q", "-m", "Results")
    alpha_zero = clone.run("dvc", "exp", "run", "--temp", "-n", "zero", "-S", "alpha=0", "train")
    after_temp = clone.run("git", "status", "--porcelain")
    shown = clone.run("dvc", "exp", "show", "--csv", *SHORT)
    metrics_diff = clone.run("dvc", "metrics", "diff", "--md", "HEAD~1", "HEAD")
    params_diff = clone.run("dvc", "params", "diff", "--md", "HEAD", "zero")
    in_the_tree = clone.run("dvc", "exp", "run", "-S", "alpha=0", "train")
    back_to_ten = clone.run("dvc", "exp", "run", "-S", "alpha=10.0", "train")
    refused = clone.run("dvc", "exp", "run", "-S", "alpha=-1", "train", expect=None)
    left_behind = clone.run("git", "status", "--porcelain")
    clone.run("git", "restore", "params.yaml", "dvc.lock", "metrics", "plots")
    clone.run("dvc", "checkout")
    return History(
        weights_after_kill,
        resumed,
        results_resumed,
        repeated,
        forced,
        results_forced,
        git_status,
        alpha_zero,
        after_temp,
        shown,
        metrics_diff,
        params_diff,
        in_the_tree,
        back_to_ten,
        refused,
        left_behind,
        after_restore=clone.run("git", "status", "--porcelain"),
        status=clone.run("dvc", "status"),
    )


def test_a_killed_training_leaves_no_weights_and_goes_on_where_it_was(history):
    assert history.weights_after_kill == []
    assert "resumed at step" in history.resumed


def test_killed_and_resumed_equals_uninterrupted_in_every_byte(history):
    """Weights and latents too: dvc.lock holds their hashes. And one worker equals two."""
    assert "resumed at step" not in history.forced
    names = yaml.safe_load(history.results_forced["dvc.lock"])["stages"]
    assert all(f"Running stage '{name}'" in history.forced for name in names)
    different = [
        name
        for name, content in history.results_resumed.items()
        if history.results_forced.get(name) != content
    ]
    assert different == []
    assert history.results_resumed.keys() == history.results_forced.keys()


def test_a_second_run_does_nothing(history):
    assert "Data and pipelines are up to date" in history.repeated
    assert "Running stage" not in history.repeated


def test_git_sees_results_only(history):
    paths = [line[3:] for line in history.git_status.splitlines()]
    assert paths
    assert [path for path in paths if not path.startswith(RESULTS)] == []


def test_another_alpha_trains_again_on_the_same_frames(history):
    for name in ("download", "fbank"):
        assert f"Stage '{name}' didn't change, skipping" in history.alpha_zero
    assert "Running stage 'train'" in history.alpha_zero


def test_a_temporary_run_leaves_the_tree_alone_and_stays_in_the_list(history):
    assert history.after_temp == ""
    experiments = list(csv.DictReader(history.shown.splitlines()))
    (zero,) = [row for row in experiments if row["Experiment"] == "zero"]
    assert zero["alpha"] == "0"
    assert len(zero) <= MOST_COLUMNS


def test_the_difference_of_a_run_is_a_short_table(history):
    changes = [row for row in squeezed(history.metrics_diff) if row.startswith("| metrics/")]
    assert any(row.startswith("| metrics/summary.json | bound |") for row in changes)
    assert len(changes) <= MOST_COLUMNS
    assert any(row.startswith("| params.yaml | alpha |") for row in squeezed(history.params_diff))


def squeezed(table: str) -> list[str]:
    return [" ".join(row.split()) for row in table.splitlines()]


def test_old_params_bring_old_results_without_training(history):
    for output in (history.in_the_tree, history.back_to_ten):
        assert "Stage 'train' is cached - skipping run" in output
        assert "Running stage 'train'" not in output


def test_after_a_run_in_the_tree_two_commands_bring_it_back(history):
    """The README's way back, from the worst case: a value that was refused."""
    assert " M params.yaml" in history.left_behind.splitlines()
    assert history.after_restore == ""
    assert "up to date" in history.status


def test_a_bad_value_ends_with_one_sentence(history):
    assert "error: params.yaml: alpha must be a number at least 0, got -1" in history.refused
    assert "Traceback" not in history.refused
