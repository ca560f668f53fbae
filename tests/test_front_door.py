"""What a newcomer types: requirements, profiles, the Makefile's promises."""

import copy
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
    # abx needs a newer Python, listen weighs 140 MB: whoever asks for them installs them
    asked = ("abx", "listen", "onnx")
    extras = [own for name, own in PROJECT["optional-dependencies"].items() if name not in asked]
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in extra)]
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(item.name): item for item in requirements}


def test_requirements_and_pyproject_name_the_same_packages():
    assert set(pinned()) == set(declared())


def test_the_judges_are_pinned_alike_in_both_files():
    lines = (ROOT / "requirements-listen.txt").read_text().splitlines()
    wanted = {line.split("#")[0].strip() for line in lines}
    assert set(PROJECT["optional-dependencies"]["listen"]) <= wanted


def test_every_pin_is_a_version_that_pyproject_allows():
    refused = [
        f"{name}=={pinned()[name]} is not {item.specifier}"
        for name, item in declared().items()
        if not item.specifier.contains(pinned()[name])
    ]
    assert refused == []


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


@pytest.mark.parametrize("name", ["data", "models", "checkpoints", "runs", "corpora"])
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
