"""The workflows: what linters say of them, and the one comment of a pull request.

The script of the comment runs as it stands in ci.yml, in Chromium, against a pretended GitHub.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
CHECKOUT = re.compile(r"actions/checkout@[0-9a-f]{40} # v[0-9.]+")
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)


def schema(path: Path, name: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{name}", path]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def security(path: Path) -> subprocess.CompletedProcess:
    zizmor = Path(sys.executable).parent / "zizmor"
    command = [zizmor, "--offline", "--no-config", "--persona=auditor", "--format=plain", path]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@each_workflow
def test_a_workflow_is_one(path):
    answer = schema(path, "github-workflows")
    assert answer.returncode == 0, answer.stdout


@each_workflow
def test_a_workflow_pins_its_actions_and_may_do_no_more_than_it_must(path):
    answer = security(path)
    assert answer.returncode == 0, answer.stdout


@each_workflow
def test_a_workflow_ends_and_says_what_it_may(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {}
    assert "concurrency" in workflow
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        assert job["permissions"]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        pytest.param(
            "permissions: {}", "permissions: write-all", "excessive-permissions", id="all"
        ),
        pytest.param(CHECKOUT, "actions/checkout@v7", "unpinned-uses", id="a-tag"),
        pytest.param("persist-credentials: false", "lfs: false", "artipacked", id="credentials"),
        pytest.param(
            "run: .ci/report", "run: echo ${{ github.head_ref }}", "template-injection", id="code"
        ),
    ],
)
def test_the_linter_finds_a_planted_fault(old, new, found, tmp_path):
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    planted = old.sub(new, text) if isinstance(old, re.Pattern) else text.replace(old, new)
    assert planted != text
    path = tmp_path / ".github/workflows/planted.yml"
    path.parent.mkdir(parents=True)
    path.write_text(planted)
    assert found in security(path).stdout


def test_the_schema_finds_a_planted_fault(tmp_path):
    path = tmp_path / "planted.yml"
    path.write_text((ROOT / ".github/workflows/ci.yml").read_text().replace("runs-on", "runs"))
    assert schema(path, "github-workflows").returncode == 1


CI = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
# What actions/github-script gives a script, as far as ours uses it: pages of comments, two calls.
PRETENDED = """
async ([script, report, comments]) => {
  const calls = []
  const note = name => async given => { calls.push({name, ...given}) }
  const rest = {issues: {
    listComments: 'the comments',
    updateComment: note('update'),
    createComment: note('create'),
  }}
  const paginate = async (what, given) => {
    if (what !== rest.issues.listComments || given.issue_number !== 7) throw new Error('other list')
    return comments
  }
  const context = {repo: {owner: 'o', repo: 'r'}, issue: {number: 7}}
  const AsyncFunction = (async () => {}).constructor
  await new AsyncFunction('github', 'context', 'process', script)(
    {rest, paginate}, context, {env: {REPORT: report}})
  return calls
}
"""
REPORT = "<!-- mark -->\nnew"
BOT = {"login": "github-actions[bot]"}
OURS = {"id": 5, "user": BOT, "body": "<!-- mark -->\nold"}


@pytest.fixture(scope="module")
def comment(browser):
    """Run the script of ci.yml against comments; give the calls that change one."""
    (step,) = CI["comment"]["steps"]
    page = browser.new_page()
    return lambda comments: page.evaluate(PRETENDED, [step["with"]["script"], REPORT, comments])


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([], id="none"),
        pytest.param([{"id": 1, "user": BOT, "body": "of another workflow"}], id="another-bot"),
        pytest.param([{**OURS, "user": {"login": "somebody"}}], id="somebody-quotes-the-mark"),
        pytest.param([{**OURS, "user": None}], id="of-a-deleted-account"),
        pytest.param([{**OURS, "body": None}], id="empty"),
    ],
)
def test_without_a_comment_of_ours_one_is_made(comment, others):
    new = {"owner": "o", "repo": "r", "issue_number": 7, "body": REPORT}
    assert comment(others) == [{"name": "create", **new}]


def test_the_one_comment_is_updated_wherever_it_stands(comment):
    others = [{"id": place, "user": {"login": "x"}, "body": "hello"} for place in range(200, 320)]
    new = {"owner": "o", "repo": "r", "comment_id": 5, "body": REPORT}
    assert comment([*others, OURS]) == [{"name": "update", **new}]


def test_the_comment_gets_what_the_report_hands_over():
    """The job that may write has the report as a text alone, and checks nothing out."""
    assert CI["comment"]["permissions"] == {"pull-requests": "write"}
    (step,) = CI["comment"]["steps"]
    assert step["env"] == {"REPORT": "${{ needs.report.outputs.report }}"}
    assert CI["report"]["permissions"] == {"contents": "read"}
    assert CI["report"]["outputs"] == {"report": "${{ steps.report.outputs.report }}"}
    assert CI["report"]["steps"][-1]["run"] == ".ci/report"


def test_the_snippet_for_gitlab_is_one(tmp_path):
    page = (ROOT / "docs/pull-requests.md").read_text()
    (snippet,) = re.findall(r"## GitLab\n.*?```yaml\n(.*?)```", page, re.DOTALL)
    path = tmp_path / ".gitlab-ci.yml"
    path.write_text(snippet)
    answer = schema(path, "gitlab-ci")
    assert answer.returncode == 0, answer.stdout
    path.write_text(json.dumps({"report": {"script": ["x"], "when": "sometimes"}}))
    assert schema(path, "gitlab-ci").returncode == 1
