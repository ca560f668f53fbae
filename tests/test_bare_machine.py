"""Training and latents run where only the library's own dependencies are installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_minimal_imports import packages_of_the_extras
from tests.test_tiny_repro import make_tiny

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]
BLOCKED = """
import runpy, sys
stage, *arguments = sys.argv[1:]
sys.modules.update(dict.fromkeys(%r))  # None: neither found nor imported
sys.argv = [stage, *arguments]
runpy.run_module(stage, run_name="__main__")
"""


def run_stage(folder: Path, name: str, *outputs: str, code: str | None = None) -> str:
    paths = {output: folder / output for output in (*outputs, "metrics")}
    paths["metrics"] = folder / f"{name}.json"
    options = [part for option, path in paths.items() for part in (f"--{option}", str(path))]
    start = ["-m", f"stages.{name}"] if code is None else ["-c", code, f"stages.{name}"]
    answer = subprocess.run(
        [sys.executable, *start, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stderr


def test_train_and_latents_without_the_extras(tmp_path, tone_corpus):
    blocked = BLOCKED % packages_of_the_extras()
    shutil.copy(ROOT / "params.yaml", tmp_path)
    make_tiny(tmp_path / "params.yaml", tone_corpus)
    run_stage(tmp_path, "download", "corpus")
    run_stage(tmp_path, "fbank", "corpus", "fbank")
    said = run_stage(tmp_path, "train", "corpus", "fbank", "model", "plots", code=blocked)
    assert "plots are not drawn: matplotlib is not installed" in said
    files = ("corpus", "fbank", "model", "latents", "plots")
    said = run_stage(tmp_path, "latents", *files, code=blocked)
    assert "plots are not drawn: matplotlib, sklearn is not installed" in said
    assert (tmp_path / "latents" / "test.safetensors").exists()
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["learning_curve.csv"]
