"""Emulated processors give the bits of this one; what each stage gives: .ci/portability.py."""

import json
import os
import subprocess
import sys
from pathlib import Path

import portability
import pytest
import yaml

from fhvae.portable import environment

ROOT = Path(portability.ROOT)
COMMITTED = json.loads((ROOT / "tests/fhvae/arithmetic.json").read_text())
PROBLEM = portability.emulator_problem()
emulated = pytest.mark.skipif(PROBLEM is not None, reason=str(PROBLEM))


@emulated
@pytest.mark.slow
@pytest.mark.timeout(5400)
@pytest.mark.parametrize("processor", portability.EMULATED)
def test_every_kind_of_arithmetic_is_equal_on_an_emulated_processor(processor):
    command = [
        portability.EMULATOR,
        "-cpu",
        processor,
        sys.executable,
        "-m",
        "tests.fhvae.arithmetic",
    ]
    answer = subprocess.run(
        command, cwd=ROOT, env=environment(os.environ), capture_output=True, text=True, check=True
    )
    assert json.loads(answer.stdout) == COMMITTED


@emulated
@pytest.mark.slow
@pytest.mark.timeout(5400)
def test_stages_are_equal_on_an_emulated_processor(tmp_path, capsys, monkeypatch):
    """And `free` is not: the comparison can fail."""
    options = ["--work", str(tmp_path), "--processors", "free", "Haswell"]
    monkeypatch.setattr(sys, "argv", ["portability", *options])
    monkeypatch.setattr(portability, "stages", lambda: first_stages("fbank"))
    assert portability.main() == 0
    fbank = capsys.readouterr().out.splitlines()[-1].split(" | ")
    assert fbank[0].endswith("fbank")
    native, free, haswell = (cell.split(" ")[0] for cell in fbank[1:])
    assert native == haswell
    assert native != free


def first_stages(last: str) -> dict[str, dict]:
    every = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    names = list(every)
    return {name: every[name] for name in names[: names.index(last) + 1]}


def test_a_stage_reads_native_files_and_writes_its_own(tmp_path):
    stage = {
        "cmd": "${python} stages.x --corpus data/c --model models/m --metrics metrics/x.json "
        "--plots plots",
        "outs": ["models/m", {"metrics/x.json": {"cache": False}}],
        "plots": [{"plots/p.png": {"cache": False}}],
    }
    read, write = Path("/native"), Path("/own")
    assert portability.options(stage, read, write) == [
        *("--corpus", "/native/data/c", "--model", "/own/models/m"),
        *("--metrics", "/own/metrics/x.json", "--plots", "/own/plots"),
    ]


def test_the_hash_sees_names_and_bytes_but_not_whose_arithmetic_it_was(tmp_path):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "out").mkdir()
    metrics, array = tmp_path / "metrics/x.json", tmp_path / "out/a.npy"
    paths = [tmp_path / "out", metrics]
    array.write_bytes(b"1")
    metrics.write_text('{"eer": 0.5}')
    first = portability.digest(paths, tmp_path)
    metrics.write_text('{"eer": 0.5, "arithmetic": "of this processor"}')
    assert portability.digest(paths, tmp_path) == first
    metrics.write_text('{"eer": 0.25}')
    assert portability.digest(paths, tmp_path) != first
    metrics.write_text('{"eer": 0.5}')
    array.write_bytes(b"2")
    assert portability.digest(paths, tmp_path) != first
    array.write_bytes(b"1")
    array.rename(tmp_path / "out/b.npy")
    assert portability.digest(paths, tmp_path) != first


def test_the_small_corpus_changes_params_that_exist(tmp_path):
    portability.params_with(tmp_path, portability.SMALL)
    with pytest.raises(KeyError, match="nosuch"):
        portability.params_with(tmp_path, {"training.nosuch": 1})
