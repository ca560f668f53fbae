"""A process that works for another ends with it, however that ends."""

import importlib
import os
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fhvae import orphans
from fhvae.orphans import end_with, starter_of

ROOT = Path(__file__).resolve().parents[2]
SETUP = """
import os, signal, subprocess, sys, time
from pathlib import Path
from fhvae.commandline import run
from fhvae.orphans import end_with, starter_of
"""
# A stage that works until it is ended, and says by a file that it was put in order.
STAGE = f"""{SETUP}
def main():
    try:
        print(os.getpid(), flush=True)
        while True:
            time.sleep(60)
    finally:
        Path("in-order").touch()
run(main, makes_figures=False)
"""
# What DVC does: it starts a shell, which starts the stage or becomes it, and waits.
DVC = """
import os, subprocess, sys
environment = {**os.environ, "DVC_STAGE": "train"}
subprocess.Popen([*sys.argv[1:]], env=environment, stdin=subprocess.DEVNULL).wait()
"""


def hear():
    """Take back that signals are ignored, as under nohup and in the background of a shell."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def start(*command, said=False, **variables):
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if said else subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        preexec_fn=hear,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def wait_for_end(pid):
    """Wait until a process that is no child of this one is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = select.poll()
    ended.register(handle, select.POLLIN)
    assert ended.poll(60_000), f"process {pid} lives on"
    os.close(handle)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    "shell",
    [
        pytest.param((), id="no-shell"),
        pytest.param(("sh", "-c"), id="shell-that-becomes-it"),
        pytest.param(("sh", "-c", "{}; true"), id="shell-that-waits"),
    ],
)
def test_a_stage_ends_with_dvc_in_order(folder, number, shell):
    (folder / "stage.py").write_text(STAGE)
    command = shlex.join([sys.executable, "stage.py"])
    wrapped = [sys.executable, "stage.py"]
    if shell:
        wrapped = [*shell[:2], shell[2].format(command) if shell[2:] else command]
    dvc, stage = start(sys.executable, "-c", DVC, *wrapped)
    dvc.send_signal(number)
    dvc.wait()
    wait_for_end(stage)
    assert (folder / "in-order").exists()


def test_a_stage_that_still_imports_ends_with_dvc(folder):
    """It takes seconds; whoever asks for DVC after them may find another parent in its place."""
    (folder / "numpy.py").write_text(
        "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)"
    )
    command = (sys.executable, "-m", "stages.fbank")
    path = f"{folder}{os.pathsep}{ROOT}"
    dvc, stage = start(sys.executable, "-c", DVC, *command, PYTHONPATH=path)
    dvc.kill()
    dvc.wait()
    wait_for_end(stage)


def test_ctrl_c_ends_a_stage_that_still_imports_without_a_traceback(folder):
    (folder / "numpy.py").write_text(
        "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)"
    )
    process, stage = start(
        sys.executable, "-m", "stages.fbank", PYTHONPATH=f"{folder}{os.pathsep}{ROOT}", said=True
    )
    os.kill(stage, signal.SIGINT)
    assert process.communicate() == ("", "")
    assert process.returncode == -signal.SIGINT


def test_a_stage_that_is_imported_leaves_signals_alone():
    handler = signal.getsignal(signal.SIGINT)
    importlib.reload(importlib.import_module("stages"))
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_stage_that_cannot_be_interrupted_is_killed(folder):
    deaf = STAGE.replace("run(main", "orphans.GRACE_SECONDS = 0.1\nrun(main").replace(
        "    try:", "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    try:"
    )
    (folder / "stage.py").write_text(f"from fhvae import orphans\n{deaf}")
    dvc, stage = start(sys.executable, "-c", DVC, sys.executable, "stage.py")
    dvc.kill()
    dvc.wait()
    wait_for_end(stage)
    assert not (folder / "in-order").exists()


def test_a_stage_that_was_started_by_hand_outlives_its_starter(folder):
    (folder / "stage.py").write_text(STAGE)
    by_hand = DVC.replace('"DVC_STAGE": "train"', "")
    shell, stage = start(sys.executable, "-c", by_hand, "nohup", sys.executable, "stage.py")
    os.killpg(shell.pid, signal.SIGHUP)  # the terminal is closed
    shell.wait()
    with pytest.raises(AssertionError, match="lives on"):
        wait_briefly(stage)
    os.kill(stage, signal.SIGTERM)
    wait_for_end(stage)
    assert (folder / "in-order").exists()


def wait_briefly(pid):
    handle = os.pidfd_open(pid)
    ended = select.poll()
    ended.register(handle, select.POLLIN)
    found = ended.poll(500)
    os.close(handle)
    assert found, "lives on"


def test_a_hangup_is_an_interrupt(folder):
    (folder / "stage.py").write_text(STAGE)
    process, _ = start(sys.executable, "stage.py")
    process.send_signal(signal.SIGHUP)
    assert process.wait() == 130
    assert (folder / "in-order").exists()


SLOW_TO_END = STAGE.replace("    finally:\n", "    finally:\n        time.sleep(1)\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_what_is_put_in_order_is_not_interrupted_by_the_end_of_dvc(folder, number):
    """A signal to the group of DVC ends the stage, and DVC, whose end would end it once more."""
    (folder / "stage.py").write_text(SLOW_TO_END)
    dvc, stage = start(sys.executable, "-c", DVC, sys.executable, "stage.py")
    os.killpg(dvc.pid, number)
    dvc.wait()
    wait_for_end(stage)
    assert (folder / "in-order").exists()


def test_ctrl_c_interrupts_what_is_put_in_order(folder):
    (folder / "stage.py").write_text(SLOW_TO_END)
    process, _ = start(sys.executable, "stage.py")
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert not (folder / "in-order").exists()


@pytest.mark.parametrize("tells", [True, False])
def test_the_end_of_a_process_is_noticed_where_the_system_tells_and_where_not(monkeypatch, tells):
    if not tells:
        monkeypatch.delattr(os, "pidfd_open")
        monkeypatch.setattr(orphans, "POLL_SECONDS", 0.01)
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    monkeypatch.setattr(orphans, "_lives", lambda pid: process.poll() is None)
    process.communicate(b"")
    orphans._wait_for_end(process.pid)


def test_one_that_is_gone_already_is_noticed_at_once():
    process = subprocess.Popen(["true"])
    process.wait()
    orphans._wait_for_end(process.pid)
    assert not orphans._lives(process.pid)
    assert orphans._lives(1)


def test_the_starter_is_who_gave_the_variable():
    code = f"{SETUP}\nprint(starter_of('DVC_STAGE'), flush=True)"
    variables = {"DVC_STAGE": "train"}
    shell = ["sh", "-c", f'{shlex.quote(sys.executable)} -c "$CODE"; true']
    process, starter = start(*shell, CODE=code, **variables)
    process.wait()
    assert starter == os.getpid()
    assert starter_of("NO_SUCH_VARIABLE") == os.getppid()


def test_each_other_process_is_watched_once(monkeypatch):
    started = []
    monkeypatch.setattr(orphans, "Thread", lambda **given: started.append(given) or Quiet())
    end_with.cache_clear()
    for _ in range(3):
        end_with(1, at_once=True)
    end_with.cache_clear()
    assert [one["args"] for one in started] == [(1, True)]


class Quiet:
    def start(self):
        pass
