"""What SECURITY.md promises, where no other test holds it."""

import ast
import configparser
import pickle
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import fhvae
from fhvae.errors import ArtifactError, ParamsError, TrainingError
from fhvae.params.reading import read_yaml
from fhvae.training.checkpoint import Checkpoint, write_state

ROOT = Path(__file__).resolve().parents[1]
CODE = sorted(path for top in ("fhvae", "stages") for path in (ROOT / top).rglob("*.py"))
PAGE = (ROOT / "SECURITY.md").read_text()
RUNS_CODE = {
    "pickle",
    "shelve",
    "marshal",
    "dill",
    "cloudpickle",
}  # when they read
FORBIDDEN = {"eval", "exec", "os.system", "os.popen", "joblib.load", "pandas.read_pickle"}


def risks(source: str) -> Iterator[str]:
    """Name what could run code that a file brings along."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or "", *(one.name for one in node.names)]
            yield from (f"import of {name}" for name in names if name.split(".")[0] in RUNS_CODE)
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            given = {one.arg: ast.unparse(one.value) for one in node.keywords}
            if called in FORBIDDEN or called in ("pd.read_pickle",):
                yield called
            if called == "torch.load" and given.get("weights_only") != "True":
                yield "torch.load of anything"
            if called.endswith("np.load") and given.get("allow_pickle", "False") != "False":
                yield "np.load of anything"
            if given.get("shell", "False") != "False":
                yield "a shell"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", ["import of pickle"]),
        ("from pickle import loads", ["import of pickle"]),
        ("eval(text)", ["eval"]),
        ("torch.load(path)", ["torch.load of anything"]),
        ("torch.load(path, weights_only=True)", []),
        ("np.load(path, allow_pickle=True)", ["np.load of anything"]),
        ("subprocess.run(line, shell=True)", ["a shell"]),
        ("model.eval()", []),
    ],
)
def test_a_risk_is_seen(source, found):
    assert list(risks(source)) == found


def test_the_code_unpickles_and_evaluates_nothing():
    found = {str(path.relative_to(ROOT)): list(risks(path.read_text())) for path in CODE}
    assert {path: risk for path, risk in found.items() if risk} == {}


class Payload:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


def test_the_payload_would_work(tmp_path):
    pickle.loads(pickle.dumps(Payload(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


def test_a_model_folder_that_holds_a_pickle_is_refused_and_not_run(tmp_path):
    shutil.copytree(ROOT / "fhvae/shipped", tmp_path / "model")
    weights = tmp_path / "model/model.safetensors"
    weights.unlink()
    torch.save({"weight": Payload(tmp_path / "ran")}, weights)
    with pytest.raises(ArtifactError, match=r"model\.safetensors"):
        fhvae.load(tmp_path / "model")
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_that_holds_code_is_refused_and_not_run(tmp_path):
    checkpoint = Checkpoint({"name": "run"}, tmp_path)
    checkpoint.path.parent.mkdir()
    write_state(checkpoint.path, {"run": checkpoint.name, "code": Payload(tmp_path / "ran")})
    with pytest.raises(TrainingError, match="it is broken"):
        checkpoint.load(torch.device("cpu"))
    assert not (tmp_path / "ran").exists()


def test_yaml_that_asks_for_python_is_refused_and_not_run(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text(f"alpha: !!python/object/apply:pathlib.Path.touch [{tmp_path / 'ran'}]\n")
    with pytest.raises(ParamsError, match="must be YAML"):
        read_yaml(file)
    assert not (tmp_path / "ran").exists()


def test_dvc_reports_to_nobody():
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(re.sub(r"^\s+", "", (ROOT / ".dvc/config").read_text(), flags=re.M))
    assert config["core"]["analytics"] == "false"
    assert config["core"]["check_update"] == "false"
    assert not [section for section in config if section.startswith("remote")]


def test_each_promise_names_code_and_tests_that_are_there():
    rows = [line.split("|")[2:4] for line in PAGE.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 9
    for row in rows:
        for cell in row:
            named = re.findall(r"`([\w./]+)`", cell)
            assert named
            assert [name for name in named if not (ROOT / name).exists()] == []
