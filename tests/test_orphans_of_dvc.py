"""`kill` of DVC in the middle of a training, and at once another `dvc repro` with another alpha."""

import signal
from pathlib import Path

import pytest
import yaml

from tests.tiny import set_params
from tests.tiny_clone import Clone, tiny_clone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

LONG = {"training.max_epochs": 400, "training.patience": 400, "alpha": 10.0}
SHORT = {"training.max_epochs": 8, "training.patience": 8, "alpha": 0.0}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    clone = tiny_clone(tmp_path_factory.mktemp("orphans"))
    clone.run("dvc", "repro", "fbank", "domains")
    return clone


def trained(clone: Clone) -> dict[str, bytes]:
    """Read what the stage train left, and what DVC believes that it left."""
    model = sorted((clone.folder / "models/fhvae").iterdir())
    paths = [*model, clone.folder / "metrics/train.json", clone.folder / "plots/learning_curve.csv"]
    lock = yaml.safe_load((clone.folder / "dvc.lock").read_text())["stages"]["train"]
    return {path.name: path.read_bytes() for path in paths} | {"dvc.lock": repr(lock).encode()}


def processes_in(folder: Path) -> list[int]:
    """List living processes that work in a folder."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if link.readlink() == folder.resolve():
                found.append(int(link.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_stage_ends_with_dvc_and_changes_nothing_of_the_next_run(clone, number):
    set_params(clone.folder / "params.yaml", LONG)
    clone.kill_at_first_checkpoint("dvc", "repro", "train", number=number, alone=True)
    set_params(clone.folder / "params.yaml", SHORT)
    clone.run("dvc", "repro", "train")
    found = trained(clone)
    assert processes_in(clone.folder) == []
    hidden = clone.run("find", "data", "models", "metrics", "plots", "-name", ".*")
    assert hidden == ""
    clone.run("rm", "-r", "checkpoints")
    clone.run("dvc", "repro", "--force", "--single-item", "train")
    assert trained(clone) == found
