"""The report of a change, on a toy pipeline of two commits."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import metrics_report
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
      - metrics/summary.json: {cache: false}
    plots:
      - metrics/summary_intervals.json: {cache: false}
      - metrics/verify.json: {cache: false}
"""
STAGE = """
import json
import os

alpha = open("params.yaml").read().split()[1]
eer = float("0." + alpha)
beside = {"better": "lower", "low": eer - 0.02, "high": eer + 0.02}
values = {"eer_mu2": eer, "bound": -100.0, "only" + alpha: 1}
os.makedirs("metrics", exist_ok=True)
open("weights.txt", "w").write(alpha)
for name, value in {
    "summary": values,
    "summary_intervals": {"cited": {"eer_mu2": beside}, "absent": {"only10": "no such corpus"}},
    "verify": {"mu2": {"cos": eer, "lda": 0.5}},
}.items():
    open(f"metrics/{name}.json", "w").write(json.dumps(value))
"""


def call(folder: Path, *command: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def dvc(folder: Path, *arguments: str) -> None:
    call(folder, sys.executable, "-m", "dvc", *arguments)


def set_alpha(folder: Path, alpha: int) -> None:
    (folder / "params.yaml").write_text(f"alpha: {alpha}\n")


@pytest.fixture(scope="module")
def two_commits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a history: alpha 10, eer 0.10; then alpha 25, eer 0.25."""
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
    found = rows(answer.stdout)
    assert ["eer_mu2", "0.1", "0.25", "0.23 to 0.27", "worse"] in found
    assert ["only10", "1", "-", "-", "vanished: no such corpus"] in found
    assert ["only25", "-", "1", "-", "new"] in found
    assert ["metrics/verify.json", "2", "1", "0", "0"] in found
    assert "The same: 1 of 4 values." in answer.stdout
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


def beside(low: float, high: float, better: str = "lower") -> dict[str, str | float]:
    return {"better": better, "low": low, "high": high}


FEW = {"better": "lower", "no_interval": "few speakers"}


@pytest.mark.parametrize(
    ("before", "old", "new", "expected"),
    [
        pytest.param(0.30, beside(0.25, 0.35), beside(0.1, 0.2), "better", id="far-above"),
        pytest.param(0.05, beside(0.01, 0.09), beside(0.1, 0.2), "worse", id="far-below"),
        pytest.param(0.12, beside(0.11, 0.13), beside(0.1, 0.2), "within noise", id="in-new"),
        pytest.param(0.25, beside(0.14, 0.36), beside(0.1, 0.2), "within noise", id="in-old"),
        pytest.param(0.15, beside(0.1, 0.2), beside(0.1, 0.2), "same", id="same"),
        pytest.param(0.30, FEW, beside(0.1, 0.2), "no verdict", id="few-speakers-before"),
        pytest.param(0.30, beside(0.25, 0.35), FEW, "no verdict", id="few-speakers-after"),
        pytest.param(
            0.30, beside(0.25, 0.35), beside(0.1, 0.2, "higher"), "worse", id="more-is-better"
        ),
    ],
)
def test_a_verdict_needs_more_than_noise(before, old, new, expected):
    assert metrics_report.verdict(before, 0.15, old, new) == expected


@pytest.mark.parametrize(("after", "expected"), [(-500.0, "better"), (-520.0, "worse")])
def test_a_value_that_is_not_resampled_is_judged_by_itself(after, expected):
    direction = {"better": "higher"}
    assert metrics_report.verdict(-510.0, after, direction, direction) == expected


def test_the_largest_change_makes_a_report_of_20_kb(two_commits, tmp_path):
    """Thousands of values and params of every length, letters of several bytes, a stale lock."""
    folder = shutil.copytree(two_commits, tmp_path / "copy")
    names = [f"value{place}" + "\u00e9" * (place % 300) for place in range(3000)]
    for name in ("summary", *(f"file{place}" for place in range(200))):
        values = {name: place / 7 for place, name in enumerate(names)}
        (folder / f"metrics/{name}.json").write_text(json.dumps(values))
    params = "".join(f"{name}: {'long ' * 100}\n" for name in names)
    (folder / "params.yaml").write_text(f"alpha: 7\n{params}", encoding="utf-8")
    answer = report(folder, "HEAD")
    assert answer.returncode == 1, answer.stderr
    assert len(answer.stdout.encode()) <= 20_000
    for part in ("## Lock", "## Metrics against", "## Params against"):
        assert part in answer.stdout
    assert "... and 2963 more" in answer.stdout


def test_a_text_beyond_the_limit_is_cut_at_a_line_end_and_says_so():
    text = metrics_report.capped("\u00e9" * 70 + "\n" + ("\u00e9" * 70 + "\n") * 500)
    assert len(text.encode()) <= metrics_report.MOST_BYTES
    assert text.endswith(metrics_report.CUT)
    assert set(text.removesuffix(metrics_report.CUT).splitlines()) == {"\u00e9" * 70}
    assert metrics_report.capped("short\n") == "short\n"
