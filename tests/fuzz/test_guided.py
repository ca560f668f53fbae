"""A few minutes' worth of tests/fuzz/guided.py: no parser of ours raises, hangs or lies."""

import subprocess
import sys

import pytest

from tests.fuzz.damage import SEED, examples
from tests.tiny import ROOT

pytest.importorskip("atheris", reason="atheris is built for Linux on x86-64")
FEW = 1000  # examples of a parser, where nobody asks for more
PARSERS = ("mpeg", "flac", "ogg", "opening", "npy", "tensors", "columns")


@pytest.mark.timeout(6 * 3600)  # of the long run
@pytest.mark.parametrize("parser", PARSERS)
def test_bytes_that_reach_new_lines_are_read_or_refused(parser, tmp_path):
    runs = len(examples(FEW))
    asked = ["--runs", str(runs), "--seed", str(SEED + 1), "--kept", str(tmp_path)]
    command = [sys.executable, "-m", "tests.fuzz.guided", parser, *asked]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False
    )
    assert ended.returncode == 0, f"{list(tmp_path.iterdir())}: {ended.stderr[-3000:]}"
    print(f"{parser}: {runs} examples, seed {SEED}")
