"""The report of a change, on a toy pipeline of two commits."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).resolve().parents[1] / ".ci/metrics_report.py"
PIPELINE = """
stages:
  score:
    cmd: python score.py
    deps: [score.py]
    params: [alpha]
    outs: [weights.txt]
    metrics:
      - metrics.json: {cache: false}
"""
STAGE = """
alpha = open("params.yaml").read().split()[1]
open("weights.txt", "w").write(alpha)
open("metrics.json", "w").write('{"mu2": {"eer": 0.' + alpha + "}}")
"""


def call(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def dvc(folder: Path, *arguments: str) -> None:
    call(folder, sys.executable, "-m", "dvc", *arguments)


def set_alpha(folder: Path, alpha: int) -> None:
    (folder / "params.yaml").write_text(f"alpha: {alpha}\n")


@pytest.fixture(scope="module")
def two_commits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """alpha 10, eer 0.10; then alpha 25, eer 0.25."""
    folder = tmp_path_factory.mktemp("toy")
    call(folder, "git", "init", "-q")
    call(folder, "git", "config", "user.name", "tester")
    call(folder, "git", "config", "user.email", "tester@example.org")
    dvc(folder, "init", "-q")
    dvc(folder, "config", "core.analytics", "false")
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "score.py").write_text(STAGE)
    for alpha in (10, 25):
        set_alpha(folder, alpha)
        dvc(folder, "repro", "-q")
        call(folder, "git", "add", "-A")
        call(folder, "git", "commit", "-q", "-m", f"alpha {alpha}")
    return folder


@pytest.fixture
def clone(two_commits: Path, tmp_path: Path) -> Path:
    """A fresh clone: no data, no cache, as in CI."""
    call(tmp_path, "git", "clone", "-q", str(two_commits), "clone")
    assert not (tmp_path / "clone/weights.txt").exists()
    return tmp_path / "clone"


def report(folder: Path, base: str) -> subprocess.CompletedProcess:
    """Run the report with a PATH on which there is no dvc."""
    git = Path(shutil.which("git")).parent
    return subprocess.run(
        [sys.executable, SCRIPT, base],
        cwd=folder,
        env={"PATH": f"{git}:/usr/bin:/bin", "HOME": str(folder.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def rows(text: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]


def test_the_report_shows_what_moved(clone):
    answer = report(clone, "HEAD^")
    assert answer.returncode == 0, answer.stderr
    assert "`dvc.lock` belongs to this code and these params." in answer.stdout
    assert ["metrics.json", "mu2.eer", "0.1", "0.25", "0.15"] in rows(answer.stdout)
    assert ["params.yaml", "alpha", "10", "25"] in rows(answer.stdout)


def test_the_report_says_when_nothing_moved(clone):
    answer = report(clone, "HEAD")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("no change") == 2
    assert rows(answer.stdout) == []


def test_a_param_changed_without_running_is_a_stale_lock(clone):
    set_alpha(clone, 7)
    answer = report(clone, "HEAD")
    assert answer.returncode == 1
    assert "`dvc.lock` is stale: run `dvc repro`" in answer.stdout
    assert ["params.yaml", "alpha", "25", "7"] in rows(answer.stdout)


def test_code_changed_without_running_is_a_stale_lock_with_data_too(two_commits, tmp_path):
    """With the data at hand DVC reports no error, only what it would run."""
    folder = shutil.copytree(two_commits, tmp_path / "copy")
    (folder / "score.py").write_text(STAGE + "# changed\n")
    answer = report(folder, "HEAD")
    assert answer.returncode == 1
    assert "Running stage 'score'" in answer.stdout


def test_a_base_that_was_not_fetched_is_named(clone):
    answer = report(clone, "origin/nowhere")
    assert answer.returncode == 2
    assert (
        answer.stderr == "error: origin/nowhere must name a commit of this clone; fetch it first\n"
    )
    assert answer.stdout == ""
