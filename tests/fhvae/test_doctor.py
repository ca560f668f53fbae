"""What `fhvae doctor` says, and what it never says."""

import getpass
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fhvae.cli import parser
from fhvae.doctor import differing, dvc_cache, examine, packages, told

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def found():
    return examine()


def test_it_says_what_a_report_needs(found):
    head = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    commit = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
    assert found["commit"]["hash"] == commit
    assert found["fhvae"] == "0.1.0"
    assert found["python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert found["packages"]["dvc"]["wanted"].startswith("==")
    assert found["machine"]["memory_mb"] > 500
    assert set(found["dvc"]) >= {"cache", "exists", "writable", "disk_free_gb"}


def test_it_names_no_home_and_no_user(tmp_path):
    home = tmp_path / "home" / "adalovelace"
    home.mkdir(parents=True)
    variables = {
        "HOME": str(home),
        "USER": "adalovelace",
        "FHVAE_CKPT_DIR": f"{home}/checkpoints",
        "PATH": "/usr/bin:/bin",
    }
    command = [sys.executable, "-m", "fhvae", "doctor", "--json"]
    done = subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True
    )
    assert "adalovelace" not in done.stdout
    assert json.loads(done.stdout)["settings"]["FHVAE_CKPT_DIR"] == "set"


def test_what_is_not_as_pinned_is_named():
    told_of = differing(
        {
            "right": {"installed": "1.0", "wanted": "==1.0"},
            "build": {"installed": "2.13.0+cpu", "wanted": "==2.13.0"},
            "bound": {"installed": "3.0", "wanted": ">=2"},
            "other": {"installed": "1.10", "wanted": "==1.1"},
            "absent": {"installed": None, "wanted": ">=2"},
        }
    )
    assert told_of == {"other": "1.10, wanted ==1.1", "absent": "not installed, wanted >=2"}


def test_without_a_clone_the_bounds_of_the_package_are_wanted(tmp_path, monkeypatch):
    lines = ["torch>=2.6", "numpy<3,>=2.0", 'dvc>=3.60; extra == "pipeline"']
    monkeypatch.setattr("fhvae.doctor.metadata.requires", lambda name: lines)
    found = packages(tmp_path)
    assert {name: one["wanted"] for name, one in found.items()} == {
        "torch": ">=2.6",
        "numpy": "<3,>=2.0",
    }


def test_of_a_folder_without_dvc_the_kind_of_error_is_told(tmp_path):
    assert dvc_cache(tmp_path) == "NotDvcRepoError"


def test_a_broken_config_of_dvc_is_not_quoted(tmp_path):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n")
    (tmp_path / ".dvc" / "config.local").write_text("['remote \"r\"']\n    password s3cret\n")
    assert dvc_cache(tmp_path) == "ConfigError"


def test_every_fact_has_a_line(found):
    lines = told(found)
    for name in found:
        assert any(line.startswith(name) for line in lines)
    assert max(map(len, lines)) < 200


def test_of_many_changed_files_the_first_are_named(found):
    commit = {"hash": "1a2b3c", "changed": [f"fhvae/{name}.py" for name in "abcdefg"]}
    line = next(line for line in told({**found, "commit": commit}) if line.startswith("commit"))
    assert line.endswith("fhvae/a.py fhvae/b.py fhvae/c.py fhvae/d.py and 3 more")


def test_both_ways_of_telling_say_the_same(capsys, found):
    for typed in (["doctor"], ["doctor", "--json"]):
        options = parser().parse_args(typed)
        options.use(options)
    plain, _, text = capsys.readouterr().out.partition("{")
    assert json.loads("{" + text)["packages"] == found["packages"]
    assert plain.splitlines()[0].split() == ["fhvae", "0.1.0"]
    assert getpass.getuser() == "root" or getpass.getuser() not in text
