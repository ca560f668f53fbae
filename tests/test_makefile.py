"""The Makefile in a clone whose path has blanks: every target finds its environment."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TARGETS = re.findall(r"^([a-z]+): .*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
PROGRAMS = ("dvc", "ruff", "mypy", "lint-imports", "pre-commit")
OF_OUTER_MAKE = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "VENV", "PYTHON"}
NOTE_CALL = '#!/bin/sh\necho "$(basename "$0") $*" >> "$CALLS"\n'
# Stands for python3: it makes the environment, of which each program notes how it was called.
PYTHON3 = f"""#!/bin/sh
[ "$2" = venv ] || exit 0
mkdir -p "$3/bin"
for name in python {" ".join(PROGRAMS)}; do
  cp "{{call}}" "$3/bin/$name"
done
"""


@pytest.fixture
def clone(tmp_path):
    """A folder with a blank in its name that holds the Makefile, and a python3 of its own."""
    folder = tmp_path / "my projects" / "a clone"
    folder.mkdir(parents=True)
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, folder)
    call = tmp_path / "call"
    for path, text in ((call, NOTE_CALL), (tmp_path / "python3", PYTHON3.format(call=call))):
        path.write_text(text)
        path.chmod(0o755)
    return folder


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_runs_in_a_path_with_blanks(clone, tmp_path, target):
    answer = subprocess.run(
        ["make", target, "DATA=../my data"],
        cwd=clone,
        env={
            **{name: value for name, value in os.environ.items() if name not in OF_OUTER_MAKE},
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "CALLS": str(tmp_path / "calls"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    if target == "help":
        assert "reproduce" in answer.stdout
        return
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0].startswith("python -m pip install")
    assert calls[0].endswith("-r requirements.txt")
    assert len(calls) > 1
    if target == "gpu":
        assert calls[-1].endswith("--data ../my data")
