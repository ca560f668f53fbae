"""The library imports where its own dependencies are installed, and nothing of the extras."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Where the name to import is not the name to install.
IMPORT_NAMES = {
    "scikit-learn": "sklearn",
    "espeakng-loader": "espeakng_loader",
    "import-linter": "importlinter",
    "open-voicefilter-lite": "voicefilter_lite",
    "pillow": "PIL",
    "pre-commit": "pre_commit",
    "pytest-timeout": "pytest_timeout",
    "pytest-xdist": "xdist",
    "pyworld-prebuilt": "pyworld",
    "webrtcvad-wheels": "webrtcvad",
    "xls-r-sqa": "xls_r_sqa",
}

IMPORT_EVERYTHING = """
import importlib, importlib.abc, pkgutil, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import fhvae
for module in pkgutil.walk_packages(fhvae.__path__, "fhvae."):
    importlib.import_module(module.name)
    print(module.name)
"""


# Dependencies for using a model on audio files; a machine that only trains can do without.
AUDIO = ["librosa", "soundfile", "soxr", "scipy"]


def packages_of_the_extras() -> list[str]:
    lines = [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    names = [Requirement(line).name for line in lines]
    return [*AUDIO, *(IMPORT_NAMES.get(name, name) for name in names)]


def import_everything(*blocked: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", IMPORT_EVERYTHING, *blocked]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_module_imports_without_the_extras():
    blocked = packages_of_the_extras()
    assert {"librosa", "dvc", "espeakng_loader", "sklearn", "scipy", "joblib"} <= set(blocked)
    answer = import_everything(*blocked)
    assert answer.returncode == 0, answer.stderr
    top = ROOT / "fhvae"
    files = {path for path in top.rglob("*.py") if path != top / "__init__.py"}
    assert len(answer.stdout.split()) == len(files)


@pytest.mark.parametrize("needed", ["torch", "numpy", "pandas"])
def test_the_block_works(needed):
    answer = import_everything(needed)
    assert answer.returncode != 0
    assert f"No module named '{needed}" in answer.stderr
