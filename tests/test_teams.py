"""The recipes of docs/teams.md, word for word, on the tiny pipeline up to the trained model.

Ann runs it once. A block of the page runs in her tree, or in a new clone of the person
whose name is above it; its addresses become those of this test.
"""

import re
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from tests.tiny_clone import ROOT, Clone, tiny_clone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r'^```sh title="(\w+)"\n(.*?)^```', re.MULTILINE | re.DOTALL)
RECIPES = {
    title: dict(BLOCK.findall(text))
    for title, text in SECTION.findall((ROOT / "docs/teams.md").read_text())
}
UP_TO_DATE = "Data and pipelines are up to date."


@dataclass(frozen=True)
class Team:
    """Where the team keeps things.

    Attributes:
        ann: her tree, with results.
        top: folder of all trees; `mnt` and the git server `git/` are in it.
        s3: address of a server; empty where there is none.
    """

    ann: Clone
    top: Path
    s3: str = ""

    def run(self, folder: Path, title: str, person: str) -> str:
        """Run the block of a person in a folder, to the first command that fails."""
        block = RECIPES[title][person]
        for told, here in {
            "/mnt/team": str(self.top / "mnt"),
            "git@example.org:team/fhvae.git": str(self.top / "git/fhvae.git"),
            "https://s3.example.org": self.s3,
        }.items():
            block = block.replace(told, here)
        return Clone(folder).run("bash", "-euo", "pipefail", "-c", block)

    def clone(self, name: str) -> Path:
        """Clone from the git server, without data."""
        folder = self.top / name
        subprocess.run(["git", "clone", "-q", self.top / "git/fhvae.git", folder], check=True)
        return folder

    def clone_with_remote(self, name: str) -> Path:
        """Clone, and name the remote that Ann has pushed to."""
        folder = self.clone(name)
        store = str(self.top / "mnt/store")
        Clone(folder).run("dvc", "remote", "add", "--local", "-d", "team", store)
        return folder


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Team:
    top = tmp_path_factory.mktemp("team")
    ann = tiny_clone(top)
    keep_stages(ann.folder / "dvc.yaml", "download", "conditions", "fbank", "domains", "train")
    ann.run("dvc", "repro")
    ann.run("git", "add", "-A")
    ann.run("git", "commit", "-q", "-m", "Results")
    ann.run("git", "clone", "-q", "--bare", ".", str(top / "git/fhvae.git"))
    ann.run("git", "remote", "add", "origin", str(top / "git/fhvae.git"))
    (top / "mnt").mkdir()
    made = Team(ann, top)
    made.run(ann.folder, "A folder as remote", "Ann")
    return made


def keep_stages(path: Path, *names: str) -> None:
    """Leave the others out of dvc.yaml: evaluations are handed on as all else is."""
    pipeline = yaml.safe_load(path.read_text())
    pipeline["stages"] = {name: pipeline["stages"][name] for name in names}
    path.write_text(yaml.safe_dump(pipeline, sort_keys=False))


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that speaks S3 on this machine, with the bucket of the page."""
    import boto3
    from moto.server import ThreadedMotoServer

    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", **keys)
    client.create_bucket(Bucket="fhvae")
    yield f"http://{host}:{port}"
    server.stop()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def changed(folder: Path) -> str:
    return Clone(folder).run("git", "status", "--porcelain")


def test_from_a_folder_ben_has_all_and_runs_nothing(team, tmp_path):
    output = team.run(tmp_path, "A folder as remote", "Ben")
    assert UP_TO_DATE in output
    assert "Running stage" not in output
    ben = tmp_path / "fhvae"
    assert changed(ben) == ""
    assert files(ben / "models/fhvae") == files(team.ann.folder / "models/fhvae")


def test_from_s3_ben_has_all_and_runs_nothing(team, s3, tmp_path):
    there = replace(team, s3=s3)
    try:
        pushed = there.run(team.ann.folder, "S3 and what speaks like it", "Ann")
        output = there.run(tmp_path, "S3 and what speaks like it", "Ben")
    finally:
        team.ann.run("dvc", "remote", "default", "--local", "team")
    assert re.search(r"\d\d files pushed", pushed)
    assert UP_TO_DATE in output
    assert "Running stage" not in output
    assert changed(tmp_path / "fhvae") == ""


def test_ben_gets_an_experiment_of_ann_with_its_model(team):
    team.run(team.ann.folder, "Experiments of others", "Ann")
    assert changed(team.ann.folder) == ""
    ben = team.clone_with_remote("experiments")
    Clone(ben).run("dvc", "pull")
    before = files(ben / "models/fhvae")
    output = team.run(ben, "Experiments of others", "Ben")
    assert "Pulled experiment" in output
    assert "alpha: 0\n" in (ben / "params.yaml").read_text()
    after = files(ben / "models/fhvae")
    assert after["model.safetensors"] != before["model.safetensors"]
    assert "Stage 'train' didn't change" in Clone(ben).run("dvc", "repro", "train")


def test_a_shared_cache_is_filled_once_and_open_to_the_group(team):
    cem, dan = (team.clone_with_remote(name) for name in ("cem", "dan"))
    assert "files fetched" in team.run(cem, "One cache for several people", "Cem")
    output = team.run(dan, "One cache for several people", "Dan")
    assert UP_TO_DATE in output
    assert "Running stage" not in output
    cache = team.top / "mnt/cache"
    assert (dan / "models/fhvae/model.safetensors").resolve().is_relative_to(cache)
    assert not (dan / ".dvc/cache").exists()
    modes = {path.name: path.stat().st_mode for path in cache.rglob("*") if path.is_dir()}
    assert [name for name, mode in modes.items() if not mode & stat.S_IWGRP] == []
    assert changed(dan) == ""


def test_data_moves_to_another_disk(team):
    eva = team.clone_with_remote("eva")
    Clone(eva).run("dvc", "pull")
    before = files(eva / "models/fhvae")
    output = team.run(eva, "Another disk", "Eva")
    assert UP_TO_DATE in output
    assert "Running stage" not in output
    weights = eva / "models/fhvae/model.safetensors"
    assert weights.is_symlink()
    assert weights.resolve().is_relative_to(team.top / "mnt/eva")
    assert files(eva / "models/fhvae") == before
    assert changed(eva) == ""


def test_the_model_is_an_artifact_that_needs_no_clone(team, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # as if the package were installed
    shown = team.run(team.ann.folder, "The model as an artifact", "Ann")
    assert re.search(r"fhvae\s+│ v1\.0\.0", shown)
    output = team.run(tmp_path, "The model as an artifact", "Ben")
    assert "Downloaded 4 file(s)" in output
    assert re.search(r"^alpha +10", output, re.MULTILINE)
    assert files(tmp_path / "fhvae-v1") == files(team.ann.folder / "models/fhvae")


def test_a_queue_says_what_it_is_doing(team):
    """To the end of both tasks, so that nothing runs on: `queue logs -f` waits."""
    folder = team.clone_with_remote("queue")
    Clone(folder).run("dvc", "pull")
    lines = RECIPES["What a queue is doing"]["Ann"].splitlines()
    follow, show = (next(line for line in lines if one in line) for one in ("logs", "show"))
    for line in lines[: lines.index(follow)]:
        # the worker would hold the end of a pipe until it has nothing more to do
        output = Clone(folder).run("bash", "-c", f"{line} >../out.log 2>&1; cat ../out.log")
    assert re.search(r"alpha1 .*(Queued|Running)", output)
    while "Queued" in of_task(folder, "alpha1"):
        pass
    assert "log q" in Clone(folder).run("bash", "-c", follow)
    while "Success" not in (status := of_task(folder, "alpha3")):
        assert "Failed" not in status
    shown = Clone(folder).run("bash", "-c", show)
    assert re.search(r"\[alpha1\]\s+Success\s+1\s", shown)
    assert re.search(r"\[alpha3\]\s+Success\s+3\s", shown)
    assert changed(folder) == ""


def of_task(folder: Path, name: str) -> str:
    """Give the line of a task."""
    lines = Clone(folder).run("dvc", "queue", "status").splitlines()
    return next(line for line in lines if f" {name} " in line)


def test_every_recipe_is_run():
    titles = re.findall(r', "([A-Z][\w ]+)", "([A-Z][a-z]+)"\)', Path(__file__).read_text())
    told = {(title, person) for title, blocks in RECIPES.items() for person in blocks}
    assert told == {*titles, ("What a queue is doing", "Ann")}
