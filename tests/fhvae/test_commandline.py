"""What a program says and how it ends when it cannot go on."""

import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fhvae.commandline import run
from fhvae.errors import CorpusError

ROOT = Path(__file__).resolve().parents[2]


def raising(error):
    def main():
        raise error

    return main


def raised_of(error, cause):
    error.__context__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(CorpusError("no speech"), "error: no speech\n", id="ours"),
        pytest.param(
            OSError(errno.ENOSPC, "No space left on device", "data/corpus"),
            "error: data/corpus: No space left on device\n",
            id="full-disk",
        ),
        pytest.param(
            MemoryError("cannot allocate 9 GiB"),
            "error: memory must suffice, it does not (cannot allocate 9 GiB); run the same command "
            "again with fewer processes (FHVAE_WORKERS) or with more memory\n",
            id="memory",
        ),
        pytest.param(
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has"),
            "error: memory must suffice, it does not (CUDA out of memory. Tried to allocate 20.00 "
            "GiB. GPU 0 has); run the same command again with fewer processes (FHVAE_WORKERS) or "
            "with more memory\n",
            id="gpu",
        ),
        pytest.param(
            OSError(errno.ENOMEM, "Cannot allocate memory"),
            "error: memory must suffice, it does not ([Errno 12] Cannot allocate memory); run the "
            "same command again with fewer processes (FHVAE_WORKERS) or with more memory\n",
            id="system",
        ),
        pytest.param(
            ImportError("libgfortran.so.5: failed to map segment from shared object"),
            "error: memory must suffice, it does not (libgfortran.so.5: failed to map segment from "
            "shared object); run the same command again with fewer processes (FHVAE_WORKERS) or "
            "with more memory\n",
            id="linker",
        ),
        pytest.param(
            raised_of(ValueError("no such backend"), MemoryError()),
            "error: memory must suffice, it does not; run the same command again with fewer "
            "processes (FHVAE_WORKERS) or with more memory\n",
            id="what-a-library-makes-of-it",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(capsys, error, message):
    with pytest.raises(SystemExit) as ended:
        run(raising(error))
    assert ended.value.code == 2
    assert capsys.readouterr().err == message


def test_a_fault_of_the_code_that_is_no_lack_of_memory_keeps_its_traceback():
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        run(raising(RuntimeError("mat1 and mat2 shapes cannot be multiplied")))


SHORT_OF_MEMORY = """
import resource, sys
import numpy as np
import torch
from fhvae.commandline import run
room = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + ({1} << 20)
resource.setrlimit(resource.RLIMIT_AS, (room, room))
run({0}, makes_figures=False)
"""


@pytest.mark.parametrize(
    ("allocate", "room"),
    [
        pytest.param("lambda: torch.zeros(1 << 30)", 640, id="torch"),
        pytest.param("lambda: np.zeros(1 << 30)", 640, id="numpy"),
        pytest.param("lambda: bytearray(1 << 30)", 640, id="python"),
        pytest.param("lambda: print('begun', file=sys.stderr)", 64, id="none-to-begin-with"),
    ],
)
def test_memory_that_is_not_there_is_one_sentence(allocate, room):
    answer = subprocess.run(
        [sys.executable, "-c", SHORT_OF_MEMORY.format(allocate, room)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2, answer.stderr
    (line,) = answer.stderr.splitlines()
    assert line.startswith("error: memory must suffice, it does not")
    assert line.endswith("or with more memory")


def test_an_interrupt_says_how_to_go_on(capsys):
    with pytest.raises(SystemExit) as ended:
        run(raising(KeyboardInterrupt()))
    assert ended.value.code == 130
    assert "run the same command again" in capsys.readouterr().err


@pytest.mark.parametrize("moment", ["beginning", "Meter.read"])
def test_an_interrupt_while_the_record_is_written_says_so_too(
    monkeypatch, tmp_path, capsys, moment
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_STAGE", "train")
    monkeypatch.setattr("fhvae.commandline.end_with_dvc", lambda: None)
    monkeypatch.setattr(f"fhvae.run_record.{moment}", lambda _: raising(KeyboardInterrupt())())
    with pytest.raises(SystemExit) as ended:
        run(lambda: None)
    assert ended.value.code == 130
    assert capsys.readouterr().err.endswith("interrupted; run the same command again to go on\n")


FORGETS = """
import signal, time
from fhvae.commandline import run
class Kept:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)
def main():
    del_me = Kept()
    del del_me
    time.sleep(60)
run(main, makes_figures=False)
"""


def test_an_interrupt_that_a_finalizer_forgets_comes_again():
    command = [sys.executable, "-c", FORGETS]
    answer = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=50
    )
    assert answer.returncode == 130
    assert answer.stderr == "interrupted; run the same command again to go on\n"


def test_signals_do_what_they_did_before_when_the_work_is_done():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before, inside = [signal.getsignal(one) for one in numbers], []
    run(lambda: inside.extend(signal.getsignal(one) for one in numbers))
    assert [signal.getsignal(one) for one in numbers] == before != inside


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run(raising(ZeroDivisionError()))
