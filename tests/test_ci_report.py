"""The report of a change, on a toy pipeline of two commits."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import metrics_report
import pytest
import yaml

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
      - plots/det.png: {cache: false}
"""
STAGE = """
import json
import os

alpha = open("params.yaml").read().split()[1]
eer = float("0." + alpha)
beside = {"better": "lower", "low": eer - 0.02, "high": eer + 0.02}
values = {"eer_mu2": eer, "bound": -100.0, "only" + alpha: 1}
if alpha == "30":
    del values["eer_mu2"]
cited = {"eer_mu2": beside, "bound": {"better": "higher"}}
os.makedirs("metrics", exist_ok=True)
os.makedirs("plots", exist_ok=True)
open("plots/det.png", "w").write("pixels of " + alpha)
open("weights.txt", "w").write(alpha)
for name, value in {
    "summary": values,
    "summary_intervals": {"cited": cited, "absent": {"only10": "no such corpus"}},
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
        change_and_run(folder, alpha)
    return folder


def change_and_run(folder: Path, alpha: int) -> None:
    """Commit a change as a contributor should: params, lock and results together."""
    set_alpha(folder, alpha)
    dvc(folder, "repro", "-q")
    call(folder, "git", "add", "-A")
    call(folder, "git", "commit", "-q", "-m", f"alpha {alpha}")


@pytest.fixture
def clone(two_commits: Path, tmp_path: Path) -> Path:
    """A fresh clone: no data, no cache, as in CI."""
    call(tmp_path, "git", "clone", "-q", str(two_commits), "clone")
    assert not (tmp_path / "clone/weights.txt").exists()
    return tmp_path / "clone"


def report(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run the report with a PATH on which there is no dvc."""
    git = Path(shutil.which("git")).parent
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments],
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
    """A changed param, a planted regression, a value that is gone and one that is new."""
    answer = report(clone, "HEAD^")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(metrics_report.MARK + "\n")
    assert "**1 worse, 1 gone, 1 new, 1 level.** `dvc.lock` is current" in answer.stdout
    found = rows(answer.stdout)
    assert ["eer_mu2 \u2193", "0.1", "0.08 to 0.12", "0.25", "0.23 to 0.27", "**worse**"] in found
    assert ["only10", "1", "-", "-", "-", "**gone**: no such corpus"] in found
    assert ["only25", "-", "-", "1", "-", "new"] in found
    assert ["bound \u2191", "-100", "-"] in found
    assert "The same: 1 of 4 values" in answer.stdout
    assert ["metrics/verify.json", "2", "1", "0", "0"] in found
    assert ["alpha", "10", "25"] in found


def test_what_is_worse_stands_first(clone):
    """Whatever the names: only10 comes after eer_mu2, only25 is last."""
    verdicts = [row[-1] for row in rows(report(clone, "HEAD^").stdout) if len(row) == 6]
    assert verdicts[2:] == ["**worse**", "**gone**: no such corpus", "new"]


def test_the_report_says_when_nothing_moved(clone):
    answer = report(clone, "HEAD")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("No change.") == 2
    assert "**3 level.**" in answer.stdout
    assert "### Pictures" not in answer.stdout


def limit(folder: Path, text: str) -> None:
    (folder / "metrics/limits.yaml").write_text(text)


def faults(answer: subprocess.CompletedProcess) -> list[str]:
    """The sentences of standard error, each of which stands in the report as well."""
    lines = [line.removeprefix("error: ") for line in answer.stderr.splitlines()]
    for line in lines:
        assert f"- {line}.\n" in answer.stdout
    return lines


def test_a_regression_beyond_the_limits_fails_with_a_sentence_for_each(clone):
    limit(clone, "eer_mu2: {max: 0.2, worsening: 0.05}\nbound: {min: -110, worsening: 1}\n")
    answer = report(clone, "HEAD^")
    assert answer.returncode == 1
    way_out = (
        "found 0.25 in metrics/summary.json; mend the change, or move the limit in "
        "metrics/limits.yaml and say why in the commit"
    )
    assert faults(answer) == [
        f"eer_mu2 must be at most 0.2, {way_out}",
        "eer_mu2 must be at most 0.17, 0.05 beyond its interval before (0.08 to 0.12), " + way_out,
    ]
    assert ["eer_mu2", "none", "max 0.2, worsening 0.05"] in rows(answer.stdout)


def test_a_deleted_metric_with_a_limit_fails_with_a_sentence(two_commits, tmp_path):
    folder = Path(shutil.copytree(two_commits, tmp_path / "copy"))
    limit(folder, "eer_mu2: {max: 0.3}\n")
    change_and_run(folder, 30)
    answer = report(folder, "HEAD^")
    assert answer.returncode == 1
    assert ["eer_mu2 \u2193", "0.25", "0.23 to 0.27", "-", "-"] in [
        row[:5] for row in rows(answer.stdout)
    ]
    assert faults(answer) == [
        "eer_mu2 has a limit in metrics/limits.yaml and must be in metrics/summary.json, found "
        "nothing (no reason is given); bring it back, or take its limit out"
    ]


def test_a_run_leaves_the_limits_where_they_are(two_commits, tmp_path):
    """DVC deletes the outputs of a stage before it runs; the limits stand beside them."""
    folder = Path(shutil.copytree(two_commits, tmp_path / "copy"))
    limit(folder, "eer_mu2: {max: 0.3}\n")
    dvc(folder, "repro", "-q", "--force")
    assert (folder / "metrics/limits.yaml").read_text() == "eer_mu2: {max: 0.3}\n"
    assert report(folder, "HEAD").returncode == 0


def test_a_param_changed_without_running_is_a_stale_lock(clone):
    set_alpha(clone, 7)
    answer = report(clone, "HEAD")
    assert answer.returncode == 1
    assert faults(answer) == [
        "`dvc.lock` must belong to the code and params of the change, but `score` would run: type "
        "`dvc repro` and commit `dvc.lock`, `metrics/` and `plots/`"
    ]
    assert ["alpha", "25", "7"] in rows(answer.stdout)


def test_code_changed_without_running_is_a_stale_lock_with_data_too(two_commits, tmp_path):
    """With the data at hand DVC reports no error, only what it would run."""
    folder = Path(shutil.copytree(two_commits, tmp_path / "copy"))
    (folder / "score.py").write_text(STAGE + "# changed\n")
    answer = report(folder, "HEAD")
    assert answer.returncode == 1
    assert len(faults(answer)) == 1
    assert "but `score` would run" in answer.stderr


def test_a_pipeline_that_dvc_cannot_read_is_a_stale_lock_in_its_words(clone):
    (clone / "dvc.yaml").write_text("stages: [")
    answer = report(clone, "HEAD")
    assert answer.returncode == 1
    assert "but DVC says: `'./dvc.yaml' is invalid. While parsing" in answer.stderr


def lost(path: str) -> str:
    return (
        f"`{path}` must be in git, for `dvc.lock` names it, found no such file; type `dvc repro` "
        "and commit it, or take its stage out of `dvc.yaml` and `dvc.lock`"
    )


def test_results_that_a_commit_deletes_are_named(clone):
    """All but the summary have no limit, and DVC forgives what is absent."""
    paths = ("metrics/summary_intervals.json", "metrics/verify.json", "plots/det.png")
    call(clone, "git", "rm", "-q", *paths)
    commit(clone, "without")
    answer = report(clone, "HEAD^")
    assert answer.returncode == 1
    assert faults(answer) == [lost(path) for path in paths]
    counted = {row[0]: row[1:] for row in rows(answer.stdout) if len(row) == 5}
    assert counted["metrics/verify.json"] == ["2", "0", "0", "2"]
    assert counted["metrics/summary_intervals.json"] == ["5", "0", "0", "5"]


def test_results_that_were_never_committed_are_named(clone):
    """The base lacks them as well: dvc.yaml says that git keeps them."""
    call(clone, "git", "rm", "-q", "metrics/verify.json")
    commit(clone, "without")
    assert faults(report(clone, "HEAD")) == [lost("metrics/verify.json")]


def test_results_go_with_their_stage(clone):
    call(clone, "git", "rm", "-q", "-r", "dvc.lock", "plots", "metrics/verify.json")
    (clone / "dvc.yaml").write_text("stages: {}\n")
    commit(clone, "without the stage")
    answer = report(clone, "HEAD^")
    assert answer.returncode == 0, answer.stderr
    assert ["metrics/verify.json", "2", "0", "0", "2"] in rows(answer.stdout)


def commit(folder: Path, message: str) -> None:
    who = ("-c", "user.name=tester", "-c", "user.email=tester@example.org")
    call(folder, "git", *who, "commit", "-q", "-a", "-m", message)


RAW = "https://raw.example.org/a/b"


def test_pictures_of_both_commits_stand_side_by_side(clone):
    head, base = (
        subprocess.run(
            ["git", "rev-parse", name], cwd=clone, capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("HEAD", "HEAD^")
    )
    (clone / "plots/new.png").write_text("pixels")
    call(clone, "git", "add", "-A")
    answer = report(clone, "HEAD^", "--pictures", RAW, head)
    shown = [re.findall(r'src="([^"]+)"', cell) for row in rows(answer.stdout) for cell in row]
    shown = [urls for urls in shown if urls]
    assert shown == [
        [f"{RAW}/{base}/plots/det.png"],
        [f"{RAW}/{head}/plots/det.png"],
        [f"{RAW}/{head}/plots/new.png"],
    ]


def test_pictures_that_nobody_may_load_are_named(clone):
    answer = report(clone, "HEAD^")
    assert "`plots/det.png`. *Files changed* shows both versions" in answer.stdout
    assert "<img" not in answer.stdout


def on_github(folder: Path, base: str, **said: str) -> tuple[int, str, str]:
    """Run .ci/report as the workflow does; give exit code, summary and what goes to the comment."""
    bring_scripts(folder)
    return on_github_as_it_is(folder, base, **said)


def bring_scripts(folder: Path) -> None:
    (folder / ".ci").mkdir(exist_ok=True)
    for path in (SCRIPT.with_name("report"), *SCRIPT.parent.glob("*.py")):
        shutil.copy(path, folder / ".ci")


def on_github_as_it_is(folder: Path, base: str, **said: str) -> tuple[int, str, str]:
    files = {name: folder.parent / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    said = {"BASE": base, "HEAD": "f00d", "RAW": RAW, "PRIVATE": "false", "FORK": "false", **said}
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    answer = subprocess.run(
        [folder / ".ci/report"],
        env={"PATH": path, "HOME": str(folder.parent), **said}
        | {name: str(file) for name, file in files.items()},
        capture_output=True,
        text=True,
        check=False,
    )
    texts = [file.read_text() if file.exists() else "" for file in files.values()]
    return answer.returncode, texts[1], texts[0]


def test_on_github_the_report_is_summary_and_output(clone):
    limit(clone, "eer_mu2: {max: 0.2}\n")
    code, summary, output = on_github(clone, "HEAD^")
    assert code == 1
    assert summary.startswith(metrics_report.MARK)
    assert f"{RAW}/f00d/plots/det.png" in summary
    first, *lines, last = output.splitlines()
    assert first == f"report<<{last}"
    assert "\n".join(lines) + "\n" == summary


def test_on_github_a_private_repository_has_no_pictures_and_a_fork_no_comment(clone):
    code, summary, output = on_github(clone, "HEAD^", PRIVATE="true", FORK="true")
    assert code == 0
    assert RAW not in summary + output
    sentence = "The change comes from a fork, which may write no comment here: this page"
    assert sentence in summary
    assert sentence not in output


def test_on_github_a_base_of_nothing_fails_and_says_so_everywhere(clone):
    code, summary, output = on_github(clone, "origin/nowhere")
    assert code == 2
    sentence = "origin/nowhere must name a commit of this clone; fetch it first"
    assert sentence in summary
    assert sentence in output


def test_on_github_a_file_that_cannot_be_read_is_named_in_the_summary(clone):
    (clone / "metrics/verify.json").write_text("{")
    code, summary, _ = on_github(clone, "HEAD")
    assert code == 2
    assert "There is no report: metrics/verify.json must be JSON" in summary


def test_on_github_a_first_push_has_nothing_to_compare_with(clone):
    code, summary, output = on_github(clone, 40 * "0")
    assert (code, output) == (0, "")
    assert summary == (
        "There is no report: this is the first push of the branch, and nothing stands before it.\n"
    )


def test_on_github_a_push_is_compared_with_what_stood_before_it():
    """Not with the commit before the last, which is of the same push where it brings several."""
    jobs = yaml.safe_load((SCRIPT.parents[1] / ".github/workflows/ci.yml").read_text())["jobs"]
    (step,) = (step for step in jobs["report"]["steps"] if step.get("id") == "report")
    assert step["env"]["BASE"] == (
        "${{ github.event_name == 'pull_request' && format('origin/{0}', github.base_ref) "
        "|| github.event.before }}"
    )


def test_on_github_a_report_that_breaks_off_is_told(clone):
    bring_scripts(clone)
    (clone / ".ci/limits.py").write_text("1 / 0")
    code, summary, output = on_github_as_it_is(clone, "HEAD")
    assert (code, output) == (1, "")
    assert "There is no report: metrics_report.py ended with exit code 1" in summary


def test_a_base_that_was_not_fetched_is_named(clone):
    answer = report(clone, "origin/nowhere")
    assert answer.returncode == 2
    assert (
        answer.stderr == "error: origin/nowhere must name a commit of this clone; fetch it first\n"
    )
    assert answer.stdout == (
        f"{metrics_report.MARK}\n**There is no report: origin/nowhere must name a commit of this "
        "clone; fetch it first.**\n"
    )


def test_limits_that_cannot_be_read_end_with_one_sentence(clone):
    limit(clone, "eer_mu2: {most: 0.2}\n")
    answer = report(clone, "HEAD")
    assert answer.returncode == 2
    assert answer.stderr == (
        "error: metrics/limits.yaml: eer_mu2 must have some of max, min, worsening, found names "
        "and values, `{'most': 0.2}`; write for example `{max: 0.1, worsening: 0.01}` behind "
        "eer_mu2\n"
    )


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        pytest.param("metrics/summary.json", b"[1, 2]", "found a list, `[1, 2]`", id="a-list"),
        pytest.param("metrics/summary.json", b'{"a": ', "must be JSON, found", id="half"),
        pytest.param("metrics/summary.json", b"[" * 100_000, "must be JSON, found", id="deep"),
        pytest.param("metrics/verify.json", b"{", "must be JSON, found", id="all-values"),
        pytest.param("metrics/verify.json", b'{"\xe9": 1}', "must be UTF-8", id="latin-1"),
        pytest.param("metrics/limits.yaml", b"x: {max: 1} # \xe9", "must be UTF-8", id="limits"),
        pytest.param(
            "metrics/summary_intervals.json",
            b'{"cited": {"eer_mu2": {"low": "x", "high": 1}}}',
            "low and high of eer_mu2 in metrics/summary_intervals.json must be two finite numbers",
            id="an-interval-of-words",
        ),
        pytest.param(
            "metrics/summary_intervals.json",
            b'{"cited": {"eer_mu2": 3}}',
            "eer_mu2 in metrics/summary_intervals.json must be an object",
            id="no-interval",
        ),
    ],
)
def test_a_file_of_the_change_that_cannot_be_read_is_one_sentence(clone, path, content, words):
    (clone / path).write_bytes(content)
    answer = report(clone, "HEAD^")
    assert answer.returncode == 2
    (line,) = answer.stderr.splitlines()
    assert path in line
    assert words in line
    assert f"**There is no report: {line.removeprefix('error: ')}.**" in answer.stdout


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("metrics/limits.yaml", "eer_mu2: {maximum: 1}\n"),
        ("metrics/summary.json", "{"),
        ("metrics/summary_intervals.json", "[]"),
    ],
)
def test_a_faulty_file_of_the_base_does_not_block_the_change_that_mends_it(clone, path, content):
    good = (clone / path).read_text() if (clone / path).exists() else "eer_mu2: {max: 0.3}\n"
    (clone / path).write_text(content)
    call(clone, "git", "add", "-A")
    commit(clone, "faulty")
    (clone / path).write_text(good)
    answer = report(clone, "HEAD")
    assert answer.returncode == 0, answer.stderr
    assert f"- {path} of the base" in answer.stdout or f"in {path} of the base" in answer.stdout
    assert "; the report does without it.\n" in answer.stdout


def test_from_a_subfolder_the_report_is_the_same(clone):
    inside = subprocess.run(
        [sys.executable, SCRIPT, "HEAD^"],
        cwd=clone / "metrics",
        capture_output=True,
        text=True,
        check=False,
    )
    assert inside.stdout == report(clone, "HEAD^").stdout
    assert "**1 worse, 1 gone, 1 new, 1 level.**" in inside.stdout


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
    for part in ("## Results against", "### Values", "### Params"):
        assert part in answer.stdout
    assert "... and 2963 more" in answer.stdout
