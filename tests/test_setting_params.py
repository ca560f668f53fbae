"""`dvc exp run -S` as a user types it, on the committed params.yaml and a pipeline of one stage."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
PIPELINE = """
stages:
  copy:
    cmd: cp params.yaml out.yaml
    params: [alpha, corpus]
    outs: [out.yaml]
"""


def call(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def test_the_difference_is_the_value_and_the_comments_stay(tmp_path):
    (tmp_path / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc/config", tmp_path / ".dvc")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / ".gitignore").write_text("/out.yaml\n")
    call(tmp_path, "git", "init", "-q")
    call(tmp_path, "git", "config", "user.name", "tester")
    call(tmp_path, "git", "config", "user.email", "tester@example.org")
    call(tmp_path, "git", "add", "-A")
    call(tmp_path, "git", "commit", "-q", "-m", "Params")
    dvc = [sys.executable, "-m", "dvc", "exp", "run", "-q"]
    call(tmp_path, *dvc, "-S", "alpha=0", "-S", "corpus.bad_audio=quarantine")
    lines = call(tmp_path, "git", "diff", "-U0", "--", "params.yaml").splitlines()
    added = [line for line in lines if line.startswith("+") and not line.startswith("+++")]
    assert [line.partition("#")[0].strip("+ ") for line in added] == [
        "alpha: 0",
        "bad_audio: quarantine",
    ]
    assert all(" # " in line for line in added)
    assert len([line for line in lines if line.startswith("-")]) == 1 + len(added)
