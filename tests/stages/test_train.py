"""The stage train as people stop it, fill its disk, change its params and start it twice."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from benchmarks.kills import TRAIN
from fhvae.training.checkpoint import read_state, write_state
from tests.tiny import set_params

CPU = torch.device("cpu")

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 600.0
LONG = {"training.max_epochs": 9999, "training.patience": 9999}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Params, corpus and frames; never changed."""
    folder = tmp_path_factory.mktemp("train") / "run"
    kills("from pathlib import Path; kills.prepare(Path(sys.argv[1]), {})", folder)
    return folder


def kills(code, *arguments):
    """Run code of benchmarks/kills.py, which forks: not in a process in which threads have run."""
    subprocess.run(
        [sys.executable, "-c", f"import sys; from benchmarks import kills; {code}", *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
    )


@pytest.fixture
def folder(prepared, tmp_path):
    shutil.copytree(prepared, tmp_path / "run")
    return tmp_path / "run"


def start(folder, *launcher, code=None, **environment):
    """Start the stage as dvc.yaml does."""
    options = [part for name in TRAIN.options for part in (f"--{name}", name)]
    begin = ["-m", "stages.train"] if code is None else ["-c", code]
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
    if "FHVAE_CKPT_DIR" not in environment:
        surroundings.pop("FHVAE_CKPT_DIR", None)
    return subprocess.Popen(
        [*(launcher or (sys.executable,)), *begin, *options, "--metrics", "train.json"],
        cwd=folder,
        env=surroundings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(folder, *launcher, **more):
    """Run the stage to its end; give exit code and log."""
    process = start(folder, *launcher, **more)
    _, log = process.communicate()
    return process.returncode, log


def wait_for(condition, process):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def checkpoints(folder):
    return list(folder.glob("checkpoints/*/last.pt"))


def begin_long(folder, *launcher):
    """Start a training that nothing ends; it has a checkpoint on return."""
    set_params(folder / "params.yaml", LONG)
    process = start(folder, *launcher)
    wait_for(lambda: checkpoints(folder), process)
    return process


def sentence(log: str) -> str:
    """Give the error, and see that it is one line and no traceback."""
    (line,) = re.findall(r"^error: (.*)$", log, flags=re.MULTILINE)
    assert "Traceback" not in log
    return line


TINY_DISK = """
import resource, runpy
from fhvae.training import checkpoint
plain = checkpoint.Checkpoint.save

def save(self, state):
    if self.path.exists():
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
    plain(self, state)

checkpoint.Checkpoint.save = save
runpy.run_module("stages.train", run_name="__main__")
"""


@pytest.mark.slow
def test_a_full_disk_is_one_sentence_and_the_last_checkpoint_is_whole(folder):
    whole, _ = finish(folder)
    assert whole == 0
    wanted = (folder / "model/model.safetensors").read_bytes()
    shutil.rmtree(folder / "model")
    code, log = finish(folder, code=TINY_DISK)
    assert code == 2
    said = sentence(log)
    assert re.match(r"checkpoint checkpoints/\w+/last.pt must be written, it cannot", said), said
    assert "the last checkpoint is whole; make room" in said
    assert not (folder / "model").exists()
    assert [path.name for path in checkpoints(folder)[0].parent.glob(".last*")] == []
    code, log = finish(folder)
    assert code == 0, log
    assert "resumed at step 10 from" in log
    assert (folder / "model/model.safetensors").read_bytes() == wanted


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_the_log_has_each_epoch_once(folder, number):
    process = begin_long(folder)
    process.send_signal(number)
    _, log = process.communicate()
    assert process.returncode == 130, log
    assert "interrupted; run the same command again to go on" in log
    step = read_state(checkpoints(folder)[0], CPU)["step"]
    (lines,) = folder.glob("checkpoints/*/log.jsonl")
    epochs = pd.read_json(lines, lines=True)["epoch"].tolist()
    assert epochs == list(range(1, step // 10 + 1))
    set_params(folder / "params.yaml", {"training.max_epochs": len(epochs) + 2})
    code, log = finish(folder)
    assert code == 0, log
    assert f"resumed at step {step} from" in log
    table = pd.read_json(lines, lines=True)
    assert table["epoch"].tolist() == list(range(1, len(epochs) + 3))
    assert (table["segments_per_second"] > 0).all()
    assert table["kl_z2"].map(len).unique().tolist() == [5]
    curve = pd.read_csv(folder / "plots/learning_curve.csv")
    assert table["dev_lower_bound"].round(6).tolist() == curve["dev_lower_bound"].tolist()
    assert not {"segments_per_second", "kl_z1"} & set(curve.columns)
    assert checkpoints(folder) == []


@pytest.mark.slow
def test_what_has_changed_since_an_unfinished_run_is_said(folder):
    process = begin_long(folder)
    process.kill()
    process.communicate()
    set_params(folder / "params.yaml", {"training.max_epochs": 1, "training.learning_rate": 0.005})
    code, log = finish(folder)
    assert code == 0
    assert re.search(
        r"training from the start; checkpoints/\w+ is of a run with "
        r"training.learning_rate=0.004 \(now 0.005\)\n",
        log,
    ), log


@pytest.mark.slow
def test_two_processes_do_not_train_the_same_run(folder):
    first = begin_long(folder)
    code, log = finish(folder)
    assert code == 2
    assert "only one process may train the run in checkpoints/" in sentence(log)
    assert first.poll() is None
    first.kill()
    first.communicate()


@pytest.mark.slow
def test_a_checkpoint_of_another_run_is_refused(folder):
    process = begin_long(folder)
    process.terminate()
    process.communicate()
    (path,) = checkpoints(folder)
    write_state(path, {**read_state(path, CPU), "run": "0123456789abcdef"})
    code, log = finish(folder)
    assert code == 2
    assert re.search(r"of the run \w{16}, it is of 0123456789abcdef; delete it", sentence(log))


@pytest.mark.slow
def test_a_killed_training_ends_in_the_weights_of_an_undisturbed_one(tmp_path):
    """A few of what `python -m benchmarks.kills` does 200 times."""
    out = tmp_path / "report.json"
    kills("sys.argv[0:1] = ['kills', '--kills', '8', '--seed', '1']; kills.main()", "--out", out)
    report = json.loads(out.read_text())
    assert report["kills"] == 8
    assert report["unequal"] == []


TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


def workers(process):
    """List the processes that torchrun has started."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(child) for child in children.read_text().split()]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are read from /proc")
def test_when_one_of_two_processes_is_killed_the_other_says_so_and_both_resume(folder):
    process = begin_long(folder, *TORCHRUN)
    os.kill(workers(process)[1], signal.SIGKILL)
    _, log = process.communicate()
    assert process.returncode != 0
    assert re.search(r"^error: all 2 processes must train to the end, another", log, re.M), log
    step = read_state(checkpoints(folder)[0], CPU)["step"]
    set_params(folder / "params.yaml", {"training.max_epochs": step // 10 + 1})
    code, log = finish(folder, *TORCHRUN)
    assert code == 0, log
    assert f"resumed at step {step} from" in log
    assert (folder / "model/model.safetensors").exists()
    assert checkpoints(folder) == []


@pytest.mark.slow
def test_two_processes_save_on_sigterm_and_one_goes_on(folder):
    process = begin_long(folder, *TORCHRUN)
    process.terminate()
    _, log = process.communicate()
    saved = read_state(checkpoints(folder)[0], CPU)
    assert len(saved["of_each"]) == 2, log
    set_params(folder / "params.yaml", {"training.max_epochs": saved["step"] // 10 + 1})
    code, log = finish(folder)
    assert code == 0, log
    assert f"resumed at step {saved['step']} from" in log
    assert "trained by 2 processes until now, by 1 from here" in log


@pytest.mark.slow
def test_a_training_starts_from_the_model_of_another(folder):
    assert finish(folder)[0] == 0
    (folder / "model").rename(folder / "first")
    bound = json.loads((folder / "train.json").read_text())["dev_lower_bound"]
    set_params(folder / "params.yaml", {"training.from": "first"})
    code, log = finish(folder)
    assert code == 0, log
    assert json.loads((folder / "train.json").read_text())["dev_lower_bound"] > bound + 10
    first, second = (json.loads((folder / name / "config.json").read_text())
                     for name in ("first", "model"))  # fmt: skip
    assert first["normalizer"] == second["normalizer"]
    set_params(folder / "params.yaml", {"model.z1": 11})
    code, log = finish(folder)
    assert code == 2
    assert re.search(r"model\.z1 is \d+ there and 11 here; set them to what is there", log)
