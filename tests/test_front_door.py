"""What a newcomer types: requirements, profiles, the Makefile's promises."""

import copy
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fhvae.params.reading import from_mapping
from fhvae.params.whole import Params

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FLAG = re.compile(r"-S (?P<key>[a-z0-9_.]+)=(?P<value>\S+)")


def pinned() -> dict[str, str]:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    wanted = [line.split("#")[0].strip() for line in lines]
    pairs = [line.split("==") for line in wanted if line]
    return {canonicalize_name(Requirement(name).name): version for name, version in pairs}


def declared() -> dict[str, Requirement]:
    # abx needs a newer Python and is installed by those who ask for it
    extras = [own for name, own in PROJECT["optional-dependencies"].items() if name != "abx"]
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(item.name): item for item in requirements}


def test_requirements_and_pyproject_name_the_same_packages():
    assert set(pinned()) == set(declared())


def test_every_pin_is_a_version_that_pyproject_allows():
    refused = [
        f"{name}=={pinned()[name]} is not {item.specifier}"
        for name, item in declared().items()
        if not item.specifier.contains(pinned()[name])
    ]
    assert refused == []


def test_the_library_itself_needs_no_more_than_it_says():
    runtime = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert {"torch", "numpy", "pandas"} <= runtime
    assert runtime.isdisjoint({"dvc", "librosa", "espeakng-loader", "scikit-learn"})


def test_tools_have_one_version_everywhere():
    """A formatter of another version would undo what the pinned one did."""
    for tool in ("ruff", "mypy"):
        assert str(declared()[tool].specifier) == f"=={pinned()[tool]}"


def read_flags(path: Path) -> dict[str, object]:
    words = " ".join(path.read_text().split())
    assert FLAG.sub("", words).strip() == "", f"{path}: only -S key=value, found {words}"
    return {match["key"]: yaml.safe_load(match["value"]) for match in FLAG.finditer(words)}


def put(values: dict, key: str, value: object) -> None:
    """Replace one dotted key, as `dvc exp run -S` does: the key must be there."""
    *sections, last = key.split(".")
    for section in sections:
        values = values[section]
    assert last in values, f"params.yaml has no key {key}"
    values[last] = value


@pytest.mark.parametrize("path", sorted((ROOT / "profiles").iterdir()), ids=lambda path: path.name)
def test_every_profile_sets_keys_that_exist_and_loads(path):
    before = yaml.safe_load((ROOT / "params.yaml").read_text())
    after = copy.deepcopy(before)
    flags = read_flags(path)
    for key, value in flags.items():
        put(after, key, value)
    assert flags
    assert from_mapping(Params, after, source=str(path)) != from_mapping(Params, before, "default")


def test_the_paper_profile_has_the_numbers_of_the_paper():
    flags = read_flags(ROOT / "profiles/paper")
    assert flags["model.cells"] == 256
    assert flags["training.batch"] == 256
    assert flags["training.learning_rate"] == 0.001
    assert (flags["training.epoch_steps"], flags["training.max_epochs"]) == (2000, 500)
    assert flags["training.patience"] == 50
    assert flags["segments.train_shift"] == 20
    model = yaml.safe_load((ROOT / "params.yaml").read_text())["model"]
    assert (model["cell"], model["layers"]) == ("lstm", 1)
    assert flags.keys().isdisjoint({"model.cell", "model.layers"})


def test_every_command_of_the_makefile_is_phony_and_help_is_complete():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    assert targets == phony
    assert {"reproduce", "test", "check", "benchmark"} <= targets


def test_bare_dvc_finds_the_interpreter_of_the_environment():
    """Without this line the stages run whatever python comes first."""
    assert "export PATH := $(BIN):$(PATH)" in (ROOT / "Makefile").read_text()


def test_the_hooks_are_the_parts_of_make_check():
    makefile = (ROOT / "Makefile").read_text()
    parts = re.search(r"^check: ([a-z ]+) ##", makefile, re.MULTILINE)[1].split()
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == [f"make -s {part}" for part in parts]


def test_ci_checks_reproduces_compares_and_ends_with_the_tests():
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    lines = script.read_text().splitlines()
    assert "set -euo pipefail" in lines
    assert [line for line in lines if line.startswith(("make", '"${VENV'))] == [
        "make check",
        "make reproduce",
        '"${VENV:-.venv}/bin/python" .ci/compare_metrics.py "${exact[@]}"',
        "make test",
    ]
    assert lines[-1] == "make test"
    assert '[ "$(uname -m)" = x86_64 ] && exact=(--exact)' in lines


def test_the_workflow_takes_its_versions_from_requirements():
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    assert set(yaml.safe_load(text)["jobs"]) == {"everything", "report"}
    assert "dvc==" in text
    assert not re.search(r"dvc==\d", text)


@pytest.mark.parametrize("name", ["data", "models", "checkpoints", "corpora"])
def test_what_runs_leave_is_ignored_as_folder_and_as_link(tmp_path, name):
    """A pattern with a slash at its end matches no link, as to another disk."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "file").touch()
    for kind in ("folder", "link"):
        if kind == "folder":
            shutil.copytree(tmp_path / "disk", tmp_path / name)
        else:
            shutil.rmtree(tmp_path / name)
            (tmp_path / name).symlink_to("disk")
        seen = subprocess.run(
            ["git", "status", "--short", "-uall"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert seen.stdout.split()[1::2] == [".gitignore", "disk/file"]
