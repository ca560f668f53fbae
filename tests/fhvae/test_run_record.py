"""The record of a run: what it says, where it lies, and that it harms nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fhvae import run_record
from fhvae.commandline import run
from fhvae.errors import CorpusError
from fhvae.run_record import Meter, place_of, recorded

BY_DVC = ("DVC_STAGE", "DVC_EXP_NAME", "DVC_ROOT", "FHVAE_CKPT_DIR", "RANK")


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in BY_DVC:
        monkeypatch.delenv(name, raising=False)


def read(path):
    return json.loads(Path(path).read_text())


def test_a_run_is_recorded_from_its_beginning():
    Path("params.yaml").write_text("alpha: 10\n")
    Path("requirements.txt").write_text("numpy==0.0.1\nnowhere==1\n")
    with recorded("train"):
        assert read("runs/train.json")["exit"] is None
    found = read("runs/train.json")
    assert found["exit"] == 0
    assert found["stage"] == "train"
    # printf 'alpha: 10\n' | sha256sum
    assert found["params_sha256"] == "c5c4c05108"
    assert list(found["versions"]) == ["numpy"]  # what is there, not what is wanted
    assert found["versions"]["numpy"] != "0.0.1"
    assert found["machine"]["cores"] == os.cpu_count()
    assert found["commit"] is None


@pytest.mark.parametrize(
    ("ended", "code"), [(None, 0), (CorpusError("x"), 2), (KeyboardInterrupt(), 130)]
)
def test_the_exit_code_is_that_of_the_stage(monkeypatch, ended, code):
    monkeypatch.setenv("DVC_STAGE", "fbank")

    def main():
        if ended:
            raise ended

    if code:
        with pytest.raises(SystemExit):
            run(main)
    else:
        run(main)
    assert read("runs/fbank.json")["exit"] == code


def test_what_a_killed_one_left_half_written_is_removed():
    Path("runs").mkdir()
    left, others = Path("runs/.fbank.json.0a1b2c3d.tmp"), Path("runs/.train.json.0a1b2c3d.tmp")
    left.touch(), others.touch()
    with recorded("fbank"):
        assert not left.exists()
    assert others.exists()


def test_a_bug_is_recorded_and_raised(monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "fbank")
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 // 0)
    assert read("runs/fbank.json")["exit"] == 1


def test_nothing_is_written_of_what_dvc_did_not_start():
    run(lambda: None)
    assert not Path("runs").exists()


def test_the_record_outlives_the_copy_that_an_experiment_runs_in(monkeypatch):
    assert place_of("train") == Path("runs/train.json")
    monkeypatch.setenv("DVC_ROOT", "/clone")
    assert place_of("train") == Path("/clone/runs/train.json")
    monkeypatch.setenv("DVC_EXP_NAME", "alpha0")
    assert place_of("probe@z1") == Path("/clone/runs/alpha0/probe@z1.json")
    monkeypatch.setenv("FHVAE_CKPT_DIR", "/shared")
    assert place_of("sub/dvc.yaml:train") == Path("/shared/runs/alpha0/sub_dvc.yaml_train.json")


def test_runs_of_other_params_do_not_share_a_record(monkeypatch):
    monkeypatch.setenv("FHVAE_CKPT_DIR", "/shared")
    places = set()
    for alpha in (0, 10):
        Path("params.yaml").write_text(f"alpha: {alpha}\n")
        places.add(place_of("train"))
    assert len(places) == 2
    assert {place.parent.parent for place in places} == {Path("/shared/runs")}


def test_of_processes_that_train_together_the_first_writes(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with recorded("train"):
        pass
    assert not Path("runs").exists()


@pytest.mark.parametrize("broken", ["write_json", "beginning"])
def test_a_record_that_fails_ends_no_stage(monkeypatch, broken):
    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(run_record, broken, fail)
    done = []
    with recorded("train"):
        done.append(True)
    assert done


def test_worker_processes_count_while_they_live():
    meter = Meter()
    code = (
        "import time; block = bytearray(200_000_000); ends = time.process_time() + 0.5\n"
        "while time.process_time() < ends: pass\n"
        "print(flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        found = meter.read()
    finally:
        child.kill()
        child.wait()
    assert found["peak_memory_mb"]["largest_child"] >= 200
    assert found["cpu_s"] >= 0.5


def printed(code: str) -> dict:
    """Run code in a process that has no other children, as a stage has none; read what it says."""
    root = Path(__file__).resolve().parents[2]
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout)


def test_a_child_of_before_is_none_of_the_stage():
    code = (
        "import json, subprocess, sys; from fhvae.run_record import Meter\n"
        "subprocess.run([sys.executable, '-c', 'block = bytearray(300_000_000)'], check=True)\n"
        "print(json.dumps(Meter().read()['peak_memory_mb']))"
    )
    assert printed(code)["largest_child"] == 0


def test_waiting_takes_time_and_no_work():
    code = (
        "import json, time; from fhvae.run_record import Meter\n"
        "meter = Meter(); time.sleep(0.2); print(json.dumps(meter.read()))"
    )
    found = printed(code)
    assert found["wall_s"] >= 0.2
    assert found["cpu_s"] < 0.1  # the reading itself


STAGE = """
import pathlib
from fhvae.commandline import run
run(lambda: pathlib.Path("out.txt").write_text("done"))
"""


@pytest.mark.slow
def test_an_experiment_in_a_folder_that_vanishes_leaves_its_record():
    """DVC copies what git tracks, runs there, and deletes the copy."""
    root = Path(__file__).resolve().parents[2]
    Path("stage.py").write_text(STAGE)
    Path("params.yaml").write_text("alpha: 10\n")
    Path(".gitignore").write_text("/runs\n/out.txt\n")
    stage = {"cmd": "python stage.py", "params": ["alpha"], "outs": ["out.txt"]}
    Path("dvc.yaml").write_text(json.dumps({"stages": {"train": stage}}))
    who = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, "PYTHONPATH": str(root), "DVC_NO_ANALYTICS": "1"}
    for command in (
        ["git", "init", "-q"],
        ["dvc", "init", "-q"],
        ["git", "add", "-A"],
        ["git", *who, "commit", "-qm", "start"],
        ["dvc", "exp", "run", "--temp", "-n", "none", "-S", "alpha=0"],
        ["dvc", "repro"],
    ):
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    trial, here = read("runs/none/train.json"), read("runs/train.json")
    assert trial["exit"] == here["exit"] == 0
    assert trial["experiment"] == "none"
    assert here["experiment"] is None
    assert trial["params_sha256"] != here["params_sha256"]
    assert here["commit"]
    assert here["changed"] == []
    status = ["git", "status", "--porcelain"]
    left = subprocess.run(status, capture_output=True, text=True, check=True).stdout
    assert left.split() == ["A", "dvc.lock"] or left.split() == ["??", "dvc.lock"]
