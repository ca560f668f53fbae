"""What a release is made of: the wheel, and what says who made it and how it is cited."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())


def test_the_citation_fits_the_schema_of_its_format():
    check_jsonschema = pytest.importorskip("check_jsonschema")
    from jsonschema import Draft7Validator

    folder = Path(check_jsonschema.__file__).parent / "builtin_schemas/vendor"
    schema = json.loads((folder / "citation-file-format.json").read_text())
    problems = [error.message for error in Draft7Validator(schema).iter_errors(CITATION)]
    assert problems == []
    assert list(Draft7Validator(schema).iter_errors({**CITATION, "authors": []}))


def test_the_citation_is_of_this_version_and_of_both_papers():
    assert CITATION["version"] == PROJECT["version"]
    assert CITATION["license"] == PROJECT["license"]
    identifiers = [one["identifiers"][0]["value"] for one in CITATION["references"]]
    assert identifiers == ["arXiv:1709.07902", "arXiv:1804.03201"]
    readme = (ROOT / "README.md").read_text()
    assert all(identifier in readme for identifier in identifiers)


def test_a_container_for_work_makes_the_environment_of_the_makefile():
    """Keys of containers.dev; the interpreter is one that the project takes."""
    found = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    known = {"name", "image", "onCreateCommand", "hostRequirements", "containerEnv", "remoteEnv"}
    assert set(found) <= known | {"customizations"}
    assert ":1-3.11-" in found["image"]
    assert PROJECT["requires-python"] == ">=3.11"
    target = found["onCreateCommand"].removeprefix("make ")
    assert f"\n{target}: " in (ROOT / "Makefile").read_text()
    place = "${containerWorkspaceFolder}/.venv"
    assert found["containerEnv"]["VIRTUAL_ENV"] == place
    assert found["remoteEnv"]["PATH"].startswith(f"{place}/bin:")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build from a copy of what git tracks: nothing of the tree around may come in."""
    pytest.importorskip("build")
    top = tmp_path_factory.mktemp("release")
    wanted = [
        "fhvae",
        "stages",
        "tests/tiny.py",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "NOTICE",
    ]
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", *wanted],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        (top / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, top / "source" / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(top)]
    done = subprocess.run(command, cwd=top / "source", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (built,) = top.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_holds_the_package_its_tables_and_the_model(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.split("/")[0] for name in names}
    assert tops == {"fhvae", f"fhvae-{PROJECT['version']}.dist-info"}
    tracked = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "fhvae"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {name for name in names if name.startswith("fhvae/")} == set(tracked)
    assert {"fhvae/py.typed", "fhvae/__init__.pyi", "fhvae/shipped/model.safetensors"} <= names
    licences = {Path(name).name for name in names if "/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}


@pytest.mark.slow
def test_the_installed_wheel_works_from_elsewhere(wheel, tmp_path):
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target"]
    subprocess.run([sys.executable, *install, str(tmp_path / "there"), str(wheel)], check=True)
    place = tmp_path / "elsewhere"
    place.mkdir()
    shutil.copy(ROOT / "examples/a.flac", place)
    variables = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    variables["PYTHONPATH"] = str(tmp_path / "there")

    def answer(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=place,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = answer("-c", "import fhvae; print(fhvae.__file__); print(fhvae.load().dimensions)")
    assert where.split() == [str(tmp_path / "there/fhvae/__init__.py"), "32"]
    header, row = answer("-m", "fhvae", "embed", "a.flac").splitlines()
    assert header.split(",")[:2] == ["file", "mu2_0"]
    assert len(row.split(",")) == 33
    told = json.loads(answer("-m", "fhvae", "doctor", "--json"))
    assert told["fhvae"] == PROJECT["version"]
    assert told["commit"] is None
    assert told["packages"]["torch"]["wanted"] == ">=2.6"
