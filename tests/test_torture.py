"""The torture finds what it must find; a sample of it, with every stage."""

import json
import os
import signal
import subprocess
import sys
from argparse import ArgumentTypeError
from collections import Counter
from hashlib import sha256
from itertools import islice

import pytest
import torch

from fhvae.errors import TrainingError
from fhvae.training.checkpoint import read_state
from tests.tiny import ROOT
from tests.torture.__main__ import Record, part, planned
from tests.torture.bench import TRAP, Bench, Ended, code_digest, stages_of, told_by
from tests.torture.faults import FAULTS
from tests.torture.judge import (
    BLOCKED,
    CLEARED,
    COMMAND,
    EQUAL,
    FAILURES,
    LEFTOVERS,
    MEND,
    MISSED,
    NO_SENTENCE,
    REMEDIES,
    REPRO,
    SILENT,
    TRACEBACK,
    play,
    remedy,
    verdict,
)
from tests.torture.repeats import repeat, settings

SEED = 0
SAMPLE = 24  # faults, some five minutes on two cores; `make torture` goes on
WELL, STOPPED = Ended("dvc repro", 0, ""), Ended("dvc repro", 255, "error: x must be y, it is z")
CRASHED = Ended("dvc repro", 255, "Traceback (most recent call last):\n...\nexited with 1")
IN_ITS_WORK = (
    "Traceback (most recent call last):\n"
    '  File "<frozen runpy>", line 88, in _run_code\n'
    '  File "/tree/stages/train.py", line 3, in <module>\n'
    "    import torch\n"
    "KeyboardInterrupt\nexited with -2"
)
INTERRUPTED = Ended("dvc repro", 255, IN_ITS_WORK)
IN_A_LIBRARY = Ended("dvc repro", 255, IN_ITS_WORK.replace("stages/train", "site-packages/loky"))
BARELY_BEGUN = Ended("dvc repro", 255, IN_ITS_WORK.replace("stages/train", "fhvae/portable"))
SEGFAULT = Ended("dvc repro", 255, "failed to run: python -m stages.train, exited with -11")
STUCK = Ended("dvc repro", None, "")
MENDED = Ended(" ".join(MEND), 0, "removed .dvc/cache/files/md5/4e/.x.tmp")
# changes three files: makes one, renames it, deletes it; a line of what it lives to say
VICTIM = """
import os, time
from pathlib import Path
Path("a").write_text("1"); print("made", flush=True)
age_s = time.time() - os.stat("a").st_mtime, time.time_ns() / 1e9 - os.stat("a").st_mtime
Path("a").rename("b"); print("renamed", *map(round, age_s), flush=True)
Path("b").unlink(); print("deleted", flush=True)
"""


def test_the_first_cases_have_every_fault_and_every_stage_and_the_rest_every_pair():
    stages = list(stages_of(ROOT))
    pairs = sum(fault.suits(stage) for fault in FAULTS.values() for stage in stages)
    cases = [(fault, stage.name, draw) for fault, stage, draw in islice(planned(stages, 0), pairs)]
    first = cases[: len(FAULTS)]
    assert {fault for fault, _, _ in first} == set(FAULTS)
    assert {stage for _, stage, _ in first} == {stage.name for stage in stages}
    assert max(Counter(cases).values()) == 1


def test_the_plan_is_that_of_its_seed():
    stages = list(stages_of(ROOT))
    first, again, other = (list(islice(planned(stages, seed), 200)) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"path": "m.json", "md5": "ab"}, True),
        ({"md5": "ab", "size": 12, "path": "m.json"}, True),
        ({"path": "m.json", "md5": "ac", "size": 519}, False),
        ({"path": "m", "md5": "ab", "size": 519}, False),
    ],
)
def test_a_lock_is_what_it_says_of_content(other, same):
    lock = {"stages": {"download": {"outs": [{"path": "m.json", "md5": "ab", "size": 519}]}}}
    assert (told_by(lock) == told_by({"stages": {"download": {"outs": [other]}}})) is same


def test_a_record_is_of_its_code_alone(tmp_path):
    path = tmp_path / "torture.jsonl"
    Record(path, "old", 0).add("case", {"fault": "rwlock"})
    assert Record(path, "old", 0).read("case") == [{"fault": "rwlock"}]
    assert Record(path, "old", 1).read("case") == []
    new = Record(path, "new", 0)
    new.add("repeat", {"hash": "1"})
    assert new.read("case") == []
    assert len(path.read_text().splitlines()) == 1


@pytest.mark.parametrize("text", ["0/2", "3/2", "-1/2"])
def test_a_part_is_one_of_them(text):
    assert part("2/3") == (2, 3)
    with pytest.raises(ArgumentTypeError, match="must be I/N"):
        part(text)


@pytest.mark.parametrize(
    ("victims", "healing", "unequal", "leftovers", "wanted"),
    [
        pytest.param([WELL], [], [], [], EQUAL, id="well"),
        pytest.param([STOPPED], [WELL], [], [], REPRO, id="repro"),
        pytest.param([STOPPED], [STOPPED, WELL, WELL], [], [], COMMAND, id="command"),
        pytest.param([STOPPED], [WELL, MENDED], [], [], CLEARED, id="cleared"),
        pytest.param([WELL], [WELL], ["models/x"], [], SILENT, id="silent"),
        pytest.param([STOPPED], [STOPPED], ["models/x"], [], BLOCKED, id="blocked"),
        pytest.param([STUCK], [WELL], [], [], BLOCKED, id="stuck"),
        pytest.param([CRASHED], [WELL], [], [], TRACEBACK, id="traceback"),
        pytest.param([INTERRUPTED], [WELL], [], [], TRACEBACK, id="traceback-of-an-interrupt"),
        pytest.param([IN_A_LIBRARY], [WELL], [], [], TRACEBACK, id="traceback-in-a-library"),
        pytest.param([BARELY_BEGUN], [WELL], [], [], REPRO, id="python-was-starting"),
        pytest.param([SEGFAULT], [WELL], [], [], NO_SENTENCE, id="segfault"),
        pytest.param([STOPPED], [WELL], [], ["data/.x.1"], LEFTOVERS, id="leftovers"),
    ],
)
def test_a_verdict_is_the_worst_that_was_seen(victims, healing, unequal, leftovers, wanted):
    assert verdict(True, victims, healing, unequal, leftovers) == wanted


def test_what_ended_before_its_fault_came_says_nothing():
    assert verdict(False, [WELL], [], [], []) == MISSED


def test_the_command_of_a_sentence_is_what_is_typed():
    assert remedy("error: it is empty; type `rm .dvc/tmp/rwlock` and go on") == "rm .dvc/tmp/rwlock"
    assert remedy("ERROR: './dvc.lock' is invalid.\n\nMapping values ...") == "git restore dvc.lock"
    assert remedy("error: nothing to be done") is None


@pytest.mark.parametrize("whole", [False, True], ids=["another-digest", "no-state"])
def test_a_checkpoint_that_must_be_deleted_is_named(tmp_path, whole):
    path, content = tmp_path / "last.pt", b"damaged"
    path.write_bytes(sha256(content if whole else b"other").digest() + content)
    with pytest.raises(TrainingError) as refused:
        read_state(path, torch.device("cpu"))
    assert remedy(f"error: {refused.value}") == f"rm -rf {path}"


def test_commands_that_no_sentence_names_are_in_the_docs():
    page = (ROOT / "docs/troubleshooting.md").read_text()
    assert [
        command for _, command in REMEDIES if "{0}" not in command and command not in page
    ] == []


def trapped(folder, **order):
    """Run the victim with a trap; give how it ended and what the trap noted."""
    (folder / "log").mkdir()
    (folder / "tree").mkdir()
    (folder / "victim.py").write_text(VICTIM)
    told = {"who": ["victim.py"], "log": str(folder / "log"), **order}
    ended = subprocess.run(
        [sys.executable, "../victim.py"],
        cwd=folder / "tree",
        env={**os.environ, "PYTHONPATH": str(TRAP), "TORTURE": json.dumps(told)},
        capture_output=True,
        text=True,
        check=False,
    )
    noted = folder / "log/victim.py"
    return ended, noted.read_text().splitlines() if noted.exists() else []


def test_a_trap_counts_the_changes(tmp_path):
    ended, noted = trapped(tmp_path, at=0)
    assert ended.returncode == 0
    assert noted == ["open a", "os.rename a", "os.remove b"]


def test_a_trap_kills_before_the_change(tmp_path):
    ended, noted = trapped(tmp_path, at=2, do="signal", signal="KILL", whom="stage")
    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout == "made\n"
    assert noted == ["2 os.rename a"]
    assert (tmp_path / "tree/a").exists()


def test_a_trap_fills_the_disk(tmp_path):
    ended, _ = trapped(tmp_path, at=1, do="fill")
    assert "No space left on device: 'a'" in ended.stderr


@pytest.mark.parametrize("seconds", [1000, -1000])
def test_a_trap_moves_the_clock_and_not_that_of_files(tmp_path, seconds):
    ended, _ = trapped(tmp_path, at=1, do="jump", seconds=seconds)
    assert ended.stdout.splitlines() == ["made", f"renamed {seconds} {seconds}", "deleted"]


def test_a_trap_is_for_one_process_alone(tmp_path):
    ended, noted = trapped(tmp_path, at=1, do="fill", who=["dvc"])
    assert ended.returncode == 0
    assert noted == []


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    made = Bench(tmp_path_factory.mktemp("torture"), code_digest())
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_faults_in_every_stage_end_well(bench):
    cases = list(islice(planned(list(bench.stages.values()), SEED), SAMPLE))
    assert {stage.name for _, stage, _ in cases} == set(bench.stages)
    found = [play(bench, fault, stage, draw, SEED) for fault, stage, draw in cases]
    assert [one for one in found if one.verdict in FAILURES] == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_run_under_other_settings_has_the_same_hash(tmp_path):
    first, second = (
        repeat(tmp_path / "repeat", setting, "tiny") for setting in islice(settings(SEED), 2)
    )
    assert first.setting != second.setting
    assert first.hash == second.hash
