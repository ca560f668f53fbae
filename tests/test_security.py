"""What SECURITY.md promises, where no other test holds it."""

import ast
import configparser
import importlib.util
import os
import pickle
import re
import shutil
import subprocess
import sys
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


STANDS_THERE = ("argparse", "dask", "distributed", "joblib", "json", "librosa", "scipy", "soxr")
PLANTED = "import os; open(os.environ['MARK'], 'w').write(__name__)"
DECODES = """
from pathlib import Path
from fhvae.corpus.decoder import read_audio
print(len(read_audio(Path("a.flac"), "u")))
"""
MAPS = """
from fhvae.parallel import map_in_order
if __name__ == "__main__":
    print(len(list(map_in_order(abs, [1, 2], "label"))))
"""


@pytest.mark.parametrize(
    ("program", "kind"),
    [
        pytest.param(DECODES, {}, id="decoder"),
        pytest.param(MAPS, {"FHVAE_WORKERS": "2"}, id="loky"),
        pytest.param(MAPS, {"FHVAE_DASK": "local:1"}, id="dask"),
    ],
)
def test_nothing_is_imported_of_the_folder_one_stands_in(tmp_path, program, kind):
    """Nor of what another user has made where all may write: Dask imports from a folder there."""
    if "FHVAE_DASK" in kind and importlib.util.find_spec("distributed") is None:
        pytest.skip("the extra dask is not installed")
    stranger, shared = tmp_path / "stranger", tmp_path / "shared"
    for folder in (stranger, shared / "dask-scratch-space"):
        folder.mkdir(parents=True)
        for name in STANDS_THERE:
            (folder / f"{name}.py").write_text(PLANTED)
    killed = shared / ".fhvae-dask.01234567.tmp"
    killed.mkdir()
    os.utime(killed, (0, 0))
    shutil.copy(next(ROOT.glob("examples/*.flac")), stranger / "a.flac")
    (tmp_path / "program.py").write_text(program)
    environment = {**os.environ, **kind, "PYTHONPATH": str(ROOT), "TMPDIR": str(shared)}
    done = subprocess.run(
        [sys.executable, "-P", tmp_path / "program.py"],  # as an installed command begins
        cwd=stranger,
        env={**environment, "MARK": str(tmp_path / "mark")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1
    assert not (tmp_path / "mark").exists(), (tmp_path / "mark").read_text()
    assert list(shared.glob("*fhvae-*")) == ([] if "FHVAE_DASK" in kind else [killed])


def test_dvc_reports_to_nobody():
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(re.sub(r"^\s+", "", (ROOT / ".dvc/config").read_text(), flags=re.M))
    assert config["core"]["analytics"] == "false"
    assert config["core"]["check_update"] == "false"
    assert not [section for section in config if section.startswith("remote")]


def test_each_promise_names_code_and_tests_that_are_there():
    table = PAGE[PAGE.index("| against |") :].splitlines()
    rows = [line.split("|")[3:5] for line in table if line.startswith("| ")][1:]
    assert len(rows) >= 17
    for code, tests in rows:
        named = re.findall(r"`([\w./-]+)`", code)
        assert named
        assert [name for name in named if not (ROOT / name).exists()] == []
        held = re.findall(r"`([\w./]+)::(\w+)`", tests)
        assert len(held) == tests.count("`") / 2 > 0
        for file, name in held:
            assert f"def {name}(" in (ROOT / file).read_text()
