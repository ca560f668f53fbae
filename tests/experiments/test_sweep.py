"""The results pages are what the committed runs say, and the plan can be typed."""

import sys
from pathlib import Path

import pytest
import yaml

from experiments import sweep
from experiments.sweep import PLAN, RESULTS, ROOT, placed, planned, write_pages
from fhvae.params.whole import load_params


def test_pages_are_those_of_the_committed_runs(tmp_path):
    """No number is typed by hand: writing them again changes nothing."""
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "docs/results.md"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    write_pages(tmp_path)
    tables = {f"docs/results/{path.name}" for path in (tmp_path / "docs/results").iterdir()}
    assert tables == {f"docs/results/{path.name}" for path in (ROOT / "docs/results").glob("*.csv")}
    for name in ("README.md", "docs/results.md", *tables):
        assert (tmp_path / name).read_text() == (ROOT / name).read_text(), "run `make results`"


def corpora():
    return [name for name in yaml.safe_load(PLAN.read_text()) if name != "seeds"]


@pytest.mark.parametrize("corpus", corpora())
def test_every_flag_of_the_plan_is_a_param(corpus, tmp_path):
    for run in planned(corpus):
        values = yaml.safe_load((ROOT / "params.yaml").read_text())
        for flag in placed(run.flags, tmp_path):
            key, text = flag.split("=")
            *sections, last = key.split(".")
            inner = values
            for section in sections:
                inner = inner[section]
            assert last in inner, flag
            inner[last] = yaml.safe_load(text)
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
        assert load_params(tmp_path / "params.yaml").seed == run.seed


def test_committed_runs_belong_to_the_plan():
    names = {run.result for corpus in corpora() for run in planned(corpus)}
    found = set(RESULTS.glob("*/*.json"))
    assert found
    assert found <= names


def test_a_folder_of_recordings_is_named_by_a_flag_and_needed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sweep, "RESULTS", tmp_path)  # nothing has run yet
    flags = ("corpus.name=vctk", "corpus.vctk.microphones=[mic1]", "corpus.path=DIR", "alpha=10")
    here = f"corpus.path={tmp_path}/speech"
    assert placed(flags, Path("speech")) == [*flags[:2], here, "alpha=10"]
    (tmp_path / "speech").mkdir()
    (tmp_path / "speech" / "manifest.csv").touch()
    assert placed(flags, Path("speech")) == ["corpus.name=manifest", here, "alpha=10"]
    for given, missing in (([], "--data"), (["--data", "speech"], "--hand-labels")):
        arguments = ["sweep", "run", "--corpus", "speechocean762", *given]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit):
            sweep.main()
        assert f"speechocean762 needs {missing}" in capsys.readouterr().err
