"""The Makefile in a clone whose path has blanks: every target finds its environment."""

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TARGETS = re.findall(r"^([a-z-]+): .*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
PROGRAMS = ("dvc", "ruff", "mypy", "lint-imports", "pre-commit", "cyclonedx-py")
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
    for path in (ROOT / "Makefile", *ROOT.glob("requirements*")):
        shutil.copy(path, folder)
    call = tmp_path / "call"
    for path, text in ((call, NOTE_CALL), (tmp_path / "python3", PYTHON3.format(call=call))):
        path.write_text(text)
        path.chmod(0o755)
    return folder


def make(clone, tmp_path, *arguments):
    """Run make with the python3 of the test; give its answer and the calls that it made."""
    answer = subprocess.run(
        ["make", *arguments],
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
    calls = tmp_path / "calls"
    return answer.stdout, calls.read_text().splitlines() if calls.exists() else []


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_runs_in_a_path_with_blanks(clone, tmp_path, target):
    said, calls = make(clone, tmp_path, target, "DATA=../my data")
    if target == "help":
        assert "reproduce" in said
        return
    assert calls[0].startswith("python -m pip install")
    assert calls[0].endswith("-r requirements.txt")
    assert len(calls) > 1
    if target == "gpu":
        assert calls[-1].endswith("--data ../my data")


def test_where_a_lock_serves_every_package_comes_by_hash(clone, tmp_path):
    _, calls = make(clone, tmp_path, "setup", "LOCKED=1")
    installs = [call.split("check ")[1] for call in calls if " pip install " in call]
    assert installs == [
        "--require-hashes --no-deps -r requirements.lock",
        "-r requirements.txt",
        "--require-hashes --no-deps -r requirements-dev.lock",
        "-r requirements-dev.txt",
    ]


def test_this_machine_knows_whether_a_lock_serves():
    """Of make itself, with the real Python: `1`, or nothing."""
    python = f"PYTHON={shlex.quote(sys.executable)}"  # there may be a blank in its path
    show = ["make", "-s", "-f", "Makefile", "-f", "-", "show", python]
    rule = "show:\n\t@echo [$(LOCKED)]\n"
    done = subprocess.run(show, cwd=ROOT, input=rule, capture_output=True, text=True, check=True)
    serves = platform.machine() == "x86_64" and platform.libc_ver()[0] == "glibc"
    assert done.stdout == f"[{'1' * (serves and sys.version_info[:2] < (3, 14))}]\n"
