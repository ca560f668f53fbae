import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from experiments.paper import (
    ALPHAS,
    DEFAULT,
    KEPT,
    PAGES,
    SIZES,
    Planned,
    is_kept,
    keep,
    main,
    page_of,
    planned,
    tables_of,
    write_tables,
)
from experiments.queue import MISSING, Found, Member
from fhvae.cited import look_up
from fhvae.errors import FhvaeError

ROW = {"eer": 0.25, "eer_low": 0.125, "eer_high": 0.375, "rule_of_30": 1}


def nested(key: str, value: object) -> dict:
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def states(**found: list[str]) -> dict[str, list[str]]:
    return {one.setting: ["missing"] for one in planned("x")} | found


def test_the_plan_holds_every_alpha_with_every_size_and_seed():
    members = [one.member for one in planned("paper")]
    pairs = {(f"alpha={a}", f"model.z2={z}", f"seed={s}")
             for a, z, s in itertools.product(ALPHAS, SIZES, range(5))}  # fmt: skip
    assert pairs <= {member.flags for member in members}


def test_names_are_different_and_may_be_names_of_experiments():
    names = [one.member.name for one in planned("paper")]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name) for name in names)


def test_every_flag_sets_a_param_that_exists():
    params = yaml.safe_load(Path("params.yaml").read_text())
    keys = {flag.partition("=")[0] for one in planned("x") for flag in one.member.flags}
    assert [key for key in keys if look_up(params, key) is None] == []


def test_flags_of_all_members_come_first_so_that_a_member_may_differ():
    assert planned("timit", ["corpus.name=timit"])[0].member.flags[0] == "corpus.name=timit"


def test_members_run_what_is_kept_and_what_dvc_shows_of_them():
    """A target that the summary is not behind would show the summary of the commit before."""
    stages = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
    read = {path for path in stages["summary"]["deps"] if path.startswith("metrics/")}
    assert {one.member.targets for one in planned("x")} == {("summary",)}
    assert {f"metrics/{stage}.json" for stage in KEPT} <= read


def test_a_cell_stands_in_its_row_and_column_with_its_states():
    runs = {"alpha30-z16": {4: nested("verify.mu1.lda24", ROW)}}
    speakers = tables_of(runs, states(**{"alpha30-z16": ["Success", "Success", "Failed"]}))[0]
    filled = [row for row in speakers.rows if "25.0" in str(row)]
    assert [row[:2] for row in filled] == [["30", "16"]]
    found = dict(zip(speakers.header, filled[0], strict=True))
    assert found["mu1 LDA 24"] == "25.0 [12.5, 37.5]"
    assert found["mu2 LDA 24"] == "-"
    assert found["state"] == "2 Success, 1 Failed"


def test_a_mismatch_shows_what_z1_gains():
    found = {"gain": 0.5, "gain_low": 0.25, "gain_high": 0.75}
    runs = {"alpha1-z32": {0: nested("recognize.gap.z1.male.female", found)}}
    mismatch = tables_of(runs, states())[3]
    assert mismatch.header[2:4] == ["male to female", "gain"]
    assert mismatch.rows[3][0] == "z1 of FHVAE, alpha 1"
    assert mismatch.rows[3][2:4] == ["-", "50.0 [25.0, 75.0]"]


@pytest.mark.parametrize(
    ("kind", "mark"), [("md", "### Speakers"), ("tex", r"\toprule"), ("html", "<table>")]
)
def test_a_page_in_each_format_has_every_row(kind, mark):
    page = page_of(tables_of({}, states()), kind)
    assert mark in page
    assert page.count("i-vector") == 3


def test_committed_pages_are_those_of_the_committed_members(tmp_path):
    plan = planned(DEFAULT)
    write_tables(DEFAULT, plan, {one.member.name: Found(MISSING) for one in plan}, tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_text() == (PAGES / path.name).read_text(), "experiments.paper table"


@pytest.fixture
def experiment(tmp_path):
    """A repository whose second commit is an experiment with alpha 10; give its commits."""
    (tmp_path / "metrics").mkdir()
    for alpha, name in ((0, "base"), (10, "run")):
        (tmp_path / "params.yaml").write_text(f"alpha: {alpha}\ncorpus: {{path: /data/A}}\n")
        for stage in KEPT:
            metrics = {"mu2": {"cos": ROW}, "steps": alpha, "left": "out"}
            (tmp_path / "metrics" / f"{stage}.json").write_text(json.dumps(metrics))
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", name]):
            subprocess.run(["git", *words], cwd=tmp_path, check=True)
    log = ["git", "log", "--format=%H"]
    return subprocess.run(log, cwd=tmp_path, capture_output=True, text=True).stdout.split()


def member(*flags: str) -> Planned:
    return Planned("alpha10", 3, Member("x-alpha10-seed3", flags, ("summary",)))


def test_a_member_is_kept_with_its_commit_and_without_paths(tmp_path, experiment):
    run, base = experiment
    one = member("corpus.path=/data/A", "alpha=10")
    keep(one, Found("Success", run[:7]), tmp_path, tmp_path / "kept")
    kept = json.loads((tmp_path / "kept" / "alpha10-seed3.json").read_text())
    assert kept == {
        "commit": base,
        "flags": ["alpha=10"],
        "metrics": {
            "recognize": {},
            "recognize_baselines": {},
            "train": {"steps": 10},
            "verify": {"mu2": {"cos": ROW}},
        },
    }
    assert is_kept(one, tmp_path / "kept")
    assert not is_kept(member("alpha=11"), tmp_path / "kept")


def test_an_experiment_of_other_flags_is_not_taken_for_the_member(tmp_path, experiment):
    one = member("corpus.path=/data/B", "alpha=10")
    with pytest.raises(FhvaeError, match=r"found corpus.path=/data/A in x-alpha10-seed3 where /da"):
        keep(one, Found("Success", experiment[0]), tmp_path, tmp_path / "kept")


@pytest.mark.parametrize("name", ["../evil", "a/b", "", "A b"])
def test_a_name_that_is_no_part_of_a_file_is_refused(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["paper", "table", "--name", name])
    with pytest.raises(FhvaeError, match="--name must be small letters"):
        main()
