"""The stage fbank as a user kills it: the next run goes on, and nobody can tell afterwards."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fhvae.corpus.manifest import Recording, Utterance
from fhvae.corpus.store import write_corpus
from fhvae.files.packed import read_packed
from tests.stages.stage_runner import written

ROOT = Path(__file__).resolve().parents[2]
UTTERANCES = 60
# The stage with pieces of some utterances, shards of some pieces, and time to be killed.
STAGE = """
import os, runpy, signal, time
from fhvae.files import shards
from fhvae.features import pieces

# a shell starts what it puts into the background deaf to Ctrl-C, this test perhaps as well
signal.signal(signal.SIGINT, signal.default_int_handler)
shards.SHARD_BYTES = pieces.SHARD_BYTES = 300_000
pieces.PIECE_BYTES = 60_000
plain_log_mel = pieces.log_mel

def slow_log_mel(samples, params):
    time.sleep(float(os.environ['PACE_S']))
    return plain_log_mel(samples, params)

pieces.log_mel = slow_log_mel
runpy.run_module("stages.fbank", run_name="__main__")
"""
OPTIONS = "--corpus data/corpus --fbank data/{0} --metrics metrics/{0}.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working folder with a local corpus of noise."""
    folder = tmp_path_factory.mktemp("run")
    shutil.copy(ROOT / "params.yaml", folder)
    noise = np.random.default_rng(0)

    def recordings():
        for place in range(UTTERANCES):
            split = ("train", "train", "train", "dev", "test")[place % 5]
            name = f"{split}-{place:02}"
            speaker = f"{split}-{place % 2}"
            samples = noise.integers(-900, 900, 4000 + 100 * place).astype(np.int16)
            yield Recording(Utterance(name, "", speaker, "", "", split, 0.0), samples)

    write_corpus(folder / "data/corpus", recordings())
    return folder


def start(folder, out="fbank", pace_s=0.15):
    """Start the stage; at that pace it works for nine seconds, and is stopped long before."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment["PACE_S"] = str(pace_s)
    for name in ("FHVAE_CKPT_DIR", "FHVAE_DASK"):
        environment.pop(name, None)
    command = [sys.executable, "-c", STAGE, *OPTIONS.format(out).split()]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, bufsize=1
    )


def finish(folder):
    """Run the stage to its end; give what it logged and wrote."""
    process = start(folder, pace_s=0)
    _, log = process.communicate()
    assert process.returncode == 0, log
    return log, written(folder / "data/fbank") | written(folder / "metrics")


def stop(folder, how, moment_s):
    """Run the stage and stop it so long after it finished a piece; give what it logged."""
    before = pieces_of(folder)
    process = start(folder)
    while pieces_of(folder) <= before and process.poll() is None:
        time.sleep(0.01)
    time.sleep(moment_s)
    process.send_signal(how)
    _, log = process.communicate()
    return log


def pieces_of(folder):
    """Count the finished pieces."""
    return len(list(folder.glob("checkpoints/fbank-*/raw/[!.]*")))


def taken_over(log):
    """Count the utterances that a run did not have to compute."""
    return sum(int(count) for count in re.findall(r"going on after (\d+) of", log))


@pytest.mark.slow
def test_a_killed_run_goes_on_and_leaves_the_bytes_of_an_undisturbed_one(folder):
    _, expected = finish(folder)
    assert (folder / "data/fbank/train.1.npy").exists()
    assert not list(folder.glob("checkpoints/*"))
    moments = random.Random(1)
    shutil.rmtree(folder / "data/fbank")  # as DVC does before it runs a stage
    stop(folder, signal.SIGKILL, moments.uniform(0, 0.25))
    begun = [path.name for path in folder.glob("checkpoints/*") if path.is_dir()]
    log = stop(folder, signal.SIGINT, moments.uniform(0, 0.25))
    assert "interrupted; run the same command again to go on" in log
    first = taken_over(log)
    log = stop(folder, signal.SIGKILL, moments.uniform(0, 0.25))
    second = taken_over(log)
    assert not (folder / "data/fbank").exists()
    log, found = finish(folder)
    assert 0 < first < second < taken_over(log) < UTTERANCES
    assert found == expected
    assert len(begun) == 1
    assert not list(folder.glob("checkpoints/*"))
    assert len(read_packed(folder / "data/fbank/train")) == 36


@pytest.mark.slow
def test_two_runs_at_once_leave_what_one_leaves(folder):
    _, expected = finish(folder)
    first = start(folder)
    while not pieces_of(folder):
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # until the second has come to its lock
    second = start(folder, "second", pace_s=0)
    assert any("wait for another run of fbank" in line for line in second.stderr)
    first.send_signal(signal.SIGCONT)
    logs = [process.communicate()[1] for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [0, 0], logs
    frames = {name: content for name, content in expected.items() if name != "fbank.json"}
    assert written(folder / "data/fbank") == written(folder / "data/second") == frames
    assert not list(folder.glob("checkpoints/*"))
    shutil.rmtree(folder / "data/second")
    (folder / "metrics/second.json").unlink()


@pytest.mark.slow
def test_other_params_do_not_take_up_the_work(folder):
    stop(folder, signal.SIGKILL, 0.1)
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("preemphasis: 0.97", "preemphasis: 0.9"))
    log, _ = finish(folder)
    assert taken_over(log) == 0
    (folder / "params.yaml").write_text(text)
    log, _ = finish(folder)
    assert taken_over(log) > 0
