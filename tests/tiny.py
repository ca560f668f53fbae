"""A pipeline small enough for tests: its params, and its stages one by one."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
TINY = {
    "corpus.name": "manifest",
    "fbank.mels": 20,
    "model.cells": 32,
    "model.z1": 6,
    "model.z2": 5,
    "training.batch": 32,
    "training.epoch_steps": 10,
    "training.max_epochs": 8,
    "verification.bootstrap": 20,
    "latents.tsne_points": 50,
    "domains.test": ["noise5", "telephone"],
    "domains.babble_voices": 2,
    "ivector.gaussians": [4],
    "ivector.ranks": [3],
    "ivector.iterations": 3,
    "probes.mlp_hidden": 8,
    "probes.mlp_epochs": 10,
    "recognition.headline.cells": 8,
    "recognition.headline.steps": 6,
    "recognition.headline.looks": 1,
}


def make_tiny(params_path: Path, corpus: Path) -> None:
    set_params(params_path, {**TINY, "corpus.path": str(corpus)})


def set_params(params_path: Path, changes: dict[str, object]) -> None:
    """Change params by their dotted keys."""
    values = yaml.safe_load(params_path.read_text())
    for key, value in changes.items():
        inner = values
        *sections, last = key.split(".")
        for section in sections:
            inner = inner[section]
        assert last in inner, key
        inner[last] = value
    params_path.write_text(yaml.safe_dump(values, sort_keys=False))


def run_stage(folder: Path, name: str, *outputs: str, code: str | None = None) -> str:
    """Run a stage in a process of its own with its files in `folder`; give what it logged."""
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
