"""Training and latents run where only the library's own dependencies are installed."""

import shutil

import pytest

from tests.test_minimal_imports import packages_of_the_extras
from tests.tiny import ROOT, make_tiny, run_stage

pytestmark = pytest.mark.slow
BLOCKED = """
import runpy, sys
stage, *arguments = sys.argv[1:]
sys.modules.update(dict.fromkeys(%r))  # None: neither found nor imported
sys.argv = [stage, *arguments]
runpy.run_module(stage, run_name="__main__")
"""


def test_train_and_latents_without_the_extras(tmp_path, tone_corpus):
    blocked = BLOCKED % packages_of_the_extras()
    shutil.copy(ROOT / "params.yaml", tmp_path)
    make_tiny(tmp_path / "params.yaml", tone_corpus)
    run_stage(tmp_path, "download", "corpus")
    run_stage(tmp_path, "fbank", "corpus", "fbank")
    files = ("corpus", "fbank", "domains", "model", "plots")
    run_stage(tmp_path, "train", *files, code=blocked)
    run_stage(tmp_path, "latents", "corpus", "fbank", "model", "latents", code=blocked)
    assert (tmp_path / "latents" / "test.safetensors").exists()
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["learning_curve.csv"]
