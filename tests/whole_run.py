"""The whole pipeline in this process, each stage as dvc.yaml calls it, on seconds of sound."""

import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from tests.tiny import ROOT, TINY, set_params

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
SHORT = {
    **TINY,
    "training.epoch_steps": 4,
    "training.max_epochs": 2,
    "probes.penalties": [0.01],
    "probes.control_clusters": 4,
    "ivector.vad_db": [300.0],
    "latents.tsne_points": 50,
    "listening.examples": 1,
    "listening.denoised": 1,
}


def options_of(stage: str) -> list[str]:
    """Give what stands behind the module in the stage's command."""
    return STAGES[stage]["cmd"].partition(f"stages.{stage} ")[2].split()


def run_whole(folder: Path, corpus: Path, last: str = "report", **changes: object) -> Path:
    """Run all stages up to one in a folder of their own.

    Args:
        folder: made; the working folder.
        corpus: with a manifest.
        last: the stage to end with.
        changes: of params.yaml, `__` for a dot.
    """
    folder.mkdir()
    (folder / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    wanted = {name.replace("__", "."): value for name, value in changes.items()}
    set_params(folder / "params.yaml", {**SHORT, "corpus.path": str(corpus), **wanted})
    for stage in list(STAGES)[: list(STAGES).index(last) + 1]:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("FHVAE_WORKERS", "1")
            patch.delenv("FHVAE_CKPT_DIR", raising=False)
            patch.setattr(sys, "argv", [stage, *options_of(stage)])
            import_module(f"stages.{stage}").main()
    return folder
