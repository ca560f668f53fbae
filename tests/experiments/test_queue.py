"""DVC's real queue on a pipeline of one stage, which waits, fails or writes its param."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments.queue import (
    FAILED,
    MISSING,
    MOST_TRIES,
    RUNNING,
    SUCCESS,
    UNSEEN,
    Course,
    Member,
    Queue,
    QueueError,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
STAGE = """
import json, pathlib, time, yaml
x = yaml.safe_load(open("params.yaml"))["x"]
started = pathlib.Path(yaml.safe_load(open("params.yaml"))["folder"]) / f"started{x}"
again = started.exists()
started.write_text((started.read_text() if again else "") + "once ")
time.sleep(600 if x == 7 and not again else 0)
1 / (x - 5)
json.dump({"x": x}, open("x.json", "w"))
"""
DVC_YAML = """
stages:
  one:
    cmd: python stage.py
    deps: [stage.py]
    params: [x]
    metrics: [{x.json: {cache: false}}]
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    root = tmp_path / "clone"
    root.mkdir()
    files = {"stage.py": STAGE, "dvc.yaml": DVC_YAML, "params.yaml": f"x: 1\nfolder: {tmp_path}\n"}
    for name, text in files.items():
        (root / name).write_text(text)
    for command in (
        ["git", "init", "-q"],
        ["git", "config", "user.email", "tester@example.org"],
        ["git", "config", "user.name", "tester"],
        [sys.executable, "-m", "dvc", "init", "-q"],
        ["git", "add", "-A"],
        ["git", "commit", "-qm", "Toy"],
    ):
        subprocess.run(command, cwd=root, check=True)
    return root


def members(*values: int) -> list[Member]:
    return [Member(f"x{value}", (f"x={value}",), ("one",)) for value in values]


def queue(root) -> Queue:
    return Queue(root, 2, root.parent / "checkpoints", ("stage.py",), look_s=1)


def test_members_run_once_and_a_failed_one_is_named(root):
    ended: list[str] = []
    failed = queue(root).run(members(3, 5), lambda member, found: ended.append(member.name))
    assert (ended, failed) == (["x3"], ["x5"])
    states = queue(root).found(members(3, 5, 9))
    assert [states[name].state for name in ("x3", "x5", "x9")] == [SUCCESS, FAILED, MISSING]
    shown = subprocess.run(
        ["git", "show", f"{states['x3'].rev}:x.json"], cwd=root, capture_output=True, text=True
    ).stdout
    assert shown == '{"x": 3}'
    assert queue(root).run(members(3), lambda member, found: ended.append(found.rev)) == []
    assert ended[1:] == [states["x3"].rev]  # what was there is told again, and not run again


def test_a_member_is_lost_after_some_looks_and_given_up_after_some_tries():
    assert not Course(put=1, unseen=UNSEEN - 1).is_lost
    assert Course(put=1, unseen=UNSEEN).is_lost
    assert Course(put=0, unseen=1).is_lost
    assert not Course(put=MOST_TRIES, unseen=UNSEEN - 1).is_over(MISSING)
    assert Course(put=MOST_TRIES, unseen=UNSEEN).is_over(MISSING)
    assert not Course(put=1).is_over(RUNNING)
    assert Course(put=1).is_over(FAILED)


def processes_in(root) -> list[int]:
    """Find the processes that work in a folder, as a power cut would."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_text()
                where = str((entry / "cwd").readlink())
            except OSError:
                continue
            if where.startswith(str(root)) or str(root) in words:
                found.append(int(entry.name))
    return found


def test_what_was_killed_in_the_middle_goes_on(root):
    script = (
        "import sys; from pathlib import Path; from experiments.queue import Member, Queue\n"
        "Queue(Path(sys.argv[1]), 2, Path(sys.argv[1]).parent, look_s=1)"
        ".run([Member('x7', ('x=7',), ('one',))], print)"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(root)])
    deadline = time.monotonic() + 300
    while (
        queue(root).found(members(7))["x7"].state != RUNNING
        or not (root.parent / "started7").exists()
    ):
        assert time.monotonic() < deadline, "the experiment does not start"
        time.sleep(1)
    for one in (process.pid, *processes_in(root)):
        os.kill(one, signal.SIGKILL)
    process.wait()
    ended: list[str] = []
    assert queue(root).run(members(7), lambda member, found: ended.append(member.name)) == []
    assert ended == ["x7"]


def test_what_waits_from_another_commit_does_not_run(root):
    queue(root)._put(members(3, 9))
    (root / "stage.py").write_text(f"{STAGE}# another commit, whose stage no cache holds")
    subprocess.run(["git", "commit", "-qam", "Next"], cwd=root, check=True)
    assert queue(root).run(members(3), lambda member, found: None) == []
    assert (root.parent / "started3").read_text() == "once "


def test_a_tree_that_differs_from_its_commit_is_refused(root):
    (root / "params.yaml").write_text(f"x: 2\nfolder: {root.parent}\n")
    (root / "stage.py").write_text("what a run has written is no reason")
    with pytest.raises(QueueError, match=r"found 1 \(M params.yaml\): commit"):
        queue(root).run(members(3), lambda member, found: None)


def test_what_dvc_refuses_is_said_in_its_words(root):
    wrong = [Member("x3", ("nowhere=3",), ("one",))]
    with pytest.raises(QueueError, match=r"`dvc exp run .*nowhere=3 one` must .*ERROR: .*nowhere"):
        queue(root).run(wrong, lambda member, found: None)


def test_no_jobs_at_all_are_refused(tmp_path):
    with pytest.raises(QueueError, match="must be 1 at least, found 0"):
        Queue(tmp_path, 0, tmp_path)
