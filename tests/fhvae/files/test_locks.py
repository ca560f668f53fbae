"""Locks end with their process; what a killed one left half-written is removed, and only that."""

import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fhvae.files.atomic import (
    LOCKED_S,
    _remove_once,
    new_file,
    new_folder,
    remove_leftovers,
    scratch_folder,
    temporary_folder,
)
from fhvae.files.locks import held

ROOT = Path(__file__).resolve().parents[3]
HOLD = """
import logging, sys
from pathlib import Path
from fhvae.files.locks import held
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
with held(Path(sys.argv[1]), "the test"):
    print("held", flush=True)
    sys.stdin.readline()
"""
WRITE = """
import sys
from pathlib import Path
from fhvae.files.atomic import new_file, new_folder
folder = Path(sys.argv[1])
with new_file(folder / "a.json"), new_folder(folder / "b") as b:
    (b / "half").write_text("half")
    print("writing", flush=True)
    sys.stdin.readline()
"""


def start(code, argument, says):
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(argument)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == f"{says}\n"
    return process


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_lock_is_waited_for_and_told_of(tmp_path):
    path = tmp_path / "deep" / ".out.lock"
    first = start(HOLD, path, "held")
    second = start(HOLD, path, "wait for the test")
    third = start(HOLD, path, "wait for the test")
    for process in (first, second, third):
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate()[0].splitlines()[-1:] for process in (first, second, third)]
    assert said == [[], ["held"], ["held"]]  # the third may have waited twice
    assert names_in(path.parent) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_lock_goes_with_its_process(tmp_path, caplog, number):
    caplog.set_level("INFO")
    path = tmp_path / ".out.lock"
    process = start(HOLD, path, "held")
    process.send_signal(number)
    process.communicate()
    with held(path, "the dead"):
        pass
    assert "wait for" not in caplog.text
    assert names_in(tmp_path) == []


def test_leftovers_of_the_killed_go_and_what_the_living_write_stays(tmp_path):
    killed, living = (start(WRITE, tmp_path, "writing") for _ in range(2))
    killed.kill()
    killed.communicate()
    others = {"a.json", ".a.json", ".a.json.tmp", ".a.json.0123456789.tmp", ".b.tmp"}
    for name in others:
        (tmp_path / name).touch()
    (tmp_path / ".a.json.01234567.tmp").symlink_to(tmp_path / "a.json")
    before = set(names_in(tmp_path))
    remove_leftovers(tmp_path, "b")
    after_b = set(names_in(tmp_path))
    assert [name[:3] for name in before - after_b] == [".b."]
    remove_leftovers(tmp_path)
    left = set(names_in(tmp_path))
    assert [name[:8] for name in after_b - left] == [".a.json."]
    assert others | {".a.json.01234567.tmp"} < left
    living.communicate("\n")
    assert living.returncode == 0
    assert (tmp_path / "b" / "half").exists()
    assert set(names_in(tmp_path)) == others | {"a.json", "b", ".a.json.01234567.tmp"}


def test_where_there_are_no_locks_a_warning_says_so_and_nothing_is_removed(
    tmp_path, monkeypatch, caplog
):
    def refuse(handle, kind):
        raise OSError("no locks")

    monkeypatch.setattr("fcntl.flock", refuse)
    with held(tmp_path / ".out.lock", "nobody"):
        assert "no locks on this disk" in caplog.text
    leftover = tmp_path / ".a.json.01234567.tmp"
    leftover.touch()
    remove_leftovers(tmp_path)
    assert leftover.exists()


def test_a_name_with_the_letters_of_patterns_is_a_name(tmp_path):
    for name in ("[ab]", "a"):
        (tmp_path / f".{name}.01234567.tmp").touch()
    remove_leftovers(tmp_path, "[ab]")
    assert names_in(tmp_path) == [".a.01234567.tmp"]


def test_a_scratch_folder_is_a_leftover_if_its_process_dies(tmp_path):
    with scratch_folder(tmp_path / "out") as scratch:
        remove_leftovers(tmp_path, "out")
        assert scratch.is_dir()
    assert names_in(tmp_path) == []


def test_a_lock_that_is_somebodys_file_stays(tmp_path):
    (tmp_path / ".out.lock").write_text("mine")
    with held(tmp_path / ".out.lock", "nobody"):
        pass
    assert (tmp_path / ".out.lock").read_text() == "mine"


def test_the_longest_names_are_written_and_their_leftovers_go(tmp_path):
    name = "ä" * 125 + ".json"
    assert len(os.fsencode(name)) == 255
    with new_file(tmp_path / name) as partial:
        partial.write_text("{}")
        killed = partial.with_name(partial.name.replace(partial.name[-12:-4], "01234567"))
        killed.touch()
    assert killed.exists()
    remove_leftovers(tmp_path, name)
    assert names_in(tmp_path) == [name]


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ((28, "No space"), "[Errno 28] No space: 'OUT'"),
        ((28, "No space", "PARTIAL"), "[Errno 28] No space: 'OUT'"),
        ((21, "Is a directory", "PARTIAL", None, "OUT"), "[Errno 21] Is a directory: 'OUT'"),
        ((2, "None there", "other"), "[Errno 2] None there: 'other'"),
        (("9 requested and 0 written",), "9 requested and 0 written"),
    ],
)
def test_what_the_disk_refuses_is_told_with_the_name_that_is_wanted(tmp_path, told, wanted):
    def write():
        with new_file(tmp_path / "a") as file:
            names = {"OUT": str(tmp_path / "a"), "PARTIAL": str(file)}
            raise OSError(*(names.get(one, one) for one in told))

    wanted = wanted.replace("OUT", str(tmp_path / "a"))
    with pytest.raises(OSError, match=f"^{re.escape(wanted)}$") as refused:
        write()
    assert refused.value.__cause__ is not refused.value  # whoever walks over causes would not end
    assert names_in(tmp_path) == []


def test_a_temporary_folder_is_its_users_and_what_the_killed_left_of_such_goes(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    old, young = tmp_path / ".ours.01234567.tmp", tmp_path / ".ours.12345678.tmp"
    strange = tmp_path / ".ours.34567890.tmp"  # another user's
    strange.touch()
    os.utime(strange, (0, 0))
    if os.geteuid() == 0:
        os.chown(strange, 1234, 1234)
    else:
        strange.rename(tmp_path / ".their.34567890.tmp")
        strange = tmp_path / ".their.34567890.tmp"
    others, pipe = tmp_path / ".theirs.01234567.tmp", tmp_path / ".ours.23456789.tmp"
    for path in (old, young, others):
        path.mkdir()
    os.mkfifo(pipe)  # whoever opens it waits for a writer
    long_ago = time.time() - 2 * LOCKED_S
    for path in (old, others, pipe):
        os.utime(path, (long_ago, long_ago))
    before = os.umask(0)
    try:
        with temporary_folder("ours") as folder:
            assert folder.parent == tmp_path
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            os.utime(folder, (long_ago, long_ago))
            _remove_once.cache_clear()  # as another process
            with temporary_folder("ours") as another:
                assert another != folder
            assert folder.is_dir()
    finally:
        os.umask(before)
    assert names_in(tmp_path) == sorted([young.name, others.name, strange.name])


def test_all_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """A power cut between a rename and its data leaves an empty file under the right name."""
    done = []
    paths = {}

    def noted(name, function, path_of):
        def call(*arguments):
            done.append((name, path_of(arguments)))
            return function(*arguments)

        return call

    def of_handle(arguments):
        return Path(f"/proc/self/fd/{arguments[0]}").readlink()

    monkeypatch.setattr(os, "fsync", noted("sync", os.fsync, of_handle))
    monkeypatch.setattr(os, "replace", noted("name", os.replace, lambda both: Path(both[1])))
    with new_file(tmp_path / "a.txt") as paths["file"]:
        paths["file"].write_text("whole")
    assert done == [("sync", paths["file"]), ("name", tmp_path / "a.txt"), ("sync", tmp_path)]
    done.clear()
    with new_folder(tmp_path / "b") as paths["folder"]:
        (paths["folder"] / "x").write_text("whole")
    named = done.index(("name", tmp_path / "b"))
    assert {path for _, path in done[:named]} == {paths["folder"], paths["folder"] / "x"}
    assert done[named + 1 :] == [("sync", tmp_path)]
