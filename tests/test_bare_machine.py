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
    said = run_stage(
        tmp_path, "train", "corpus", "fbank", "domains", "model", "plots", code=blocked
    )
    assert "plots are not drawn: matplotlib is not installed" in said
    files = ("corpus", "fbank", "model", "latents", "plots")
    said = run_stage(tmp_path, "latents", *files, code=blocked)
    assert "plots are not drawn: matplotlib, sklearn is not installed" in said
    assert (tmp_path / "latents" / "test.safetensors").exists()
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["learning_curve.csv"]
