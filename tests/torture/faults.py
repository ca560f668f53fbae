"""What is done to the pipeline, each fault as a function that plays it in the tree of a case."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.tiny import set_params
from tests.torture.bench import LOCK, Bench, Ended, Stage, can_mount, remove

MB = 1 << 20
PAGE_BYTES = 4096
LONGEST_ALONE_S = 60.0  # that an orphan waits for the run after it, which may wait for it
WORKING = 0.75  # share of the signals that come after the imports of a stage
IMPORTS_S = 2.0
YEAR_S = 365 * 86400.0
UNFINISHED = ("train", "fbank")  # the stages that go on where they were killed
HOWS = ("drop", "flip", "cut", "zero")
KEPT = "flip, its time kept"


@dataclass
class Case:
    """One fault in one stage.

    Attributes:
        told: what was done, with all that was drawn.
        hit: whether the moment came; a stage may end before.
        rotten: whether a file was damaged, which only who hashes it can see.
    """

    bench: Bench
    stage: Stage
    random: np.random.Generator
    told: list[str] = field(default_factory=list)
    hit: bool = True
    rotten: bool = False
    unequal: list[str] = field(default_factory=list)  # beyond the tree as it is at the end

    def begin(self, disk: bool = False) -> None:
        """Make the tree one in which all stages but this one have run."""
        self.bench.whole_to_tree(disk)
        self.bench.forget(self.stage)

    def change(self, who: str) -> int:
        """Draw one of the changes that a process makes in running the stage."""
        return int(self.random.integers(1, self.bench.changes[f"{who} {self.stage.name}"] + 1))

    def struck(self) -> None:
        """Take note of where a trap struck."""
        lines = [path.read_text().strip() for path in self.bench.struck.iterdir()]
        self.told += lines
        self.hit = bool(lines)

    def pick(self, paths: Iterator[Path] | list[Path]) -> Path:
        """Draw a file, each kind alike."""
        found = sorted(path for path in paths if path.is_file() and path.stat().st_size)
        kinds = sorted({path.suffix for path in found})
        kind = self.random.choice(kinds)
        return Path(self.random.choice([str(path) for path in found if path.suffix == kind]))


Play = Callable[[Case], list[Ended]]


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
        play: does it, and gives how the commands ended that were running.
        suits: whether it can befall a stage.
    """

    name: str
    play: Play
    suits: Callable[[Stage], bool] = lambda _: True


# Processes that end.


def at_a_moment(case: Case, name: str, whom: str) -> list[Ended]:
    """Send a signal at a random moment after the stage has begun."""
    case.begin()
    running = case.bench.dvc("repro")
    record = case.bench.tree / f"runs/{case.stage.name}.json"
    working = bool(case.random.random() < WORKING)
    has_begun = record.exists if working else partial(running.below, case.stage.module)
    while not has_begun() and running.process.poll() is None:
        time.sleep(0.002)
    longest = case.bench.seconds[case.stage.name] if working else IMPORTS_S
    seconds = float(case.random.uniform(0, longest))
    case.told.append(f"{seconds:.3f} s into its {'work' if working else 'imports'}")
    time.sleep(seconds)
    own = running.process.pid
    pid = {"stage": running.below(case.stage.module), "dvc": own, "group": -own}[whom]
    case.hit = pid is not None and running.process.poll() is None
    if case.hit and pid is not None:
        os.kill(pid, getattr(signal, f"SIG{name}"))
    return [running.wait()]


def at_a_change(case: Case, name: str, whom: str) -> list[Ended]:
    """Send a signal at one of the changes of files that the stage makes."""
    return _trapped(case, case.stage.module, do="signal", signal=name, whom=whom)


def in_dvc(case: Case, name: str) -> list[Ended]:
    """Send dvc a signal at one of its own changes: locks, cache, dvc.lock."""
    return _trapped(case, "dvc", do="signal", signal=name, whom="dvc")


def _trapped(case: Case, who: str, at: int | None = None, **order: Any) -> list[Ended]:
    case.begin()
    trap = {"who": [who], "at": at or case.change(who), **order}
    ended = case.bench.dvc("repro", trap=trap).wait()
    case.struck()
    return [ended]


# A machine that gives out.


def full_from_a_change(case: Case) -> list[Ended]:
    """Refuse to open a file for writing from one of the stage's changes on."""
    return _trapped(case, case.stage.module, do="fill")


def full_disk(case: Case) -> list[Ended]:
    """Run on a small disk that is nearly full; give it more room afterwards."""
    case.begin(disk=True)
    room = int(case.random.integers(0, 2 * _written(case.bench.whole, case.stage)))
    case.told.append(f"{room} bytes left")
    case.bench.resize(room)
    ended = case.bench.dvc("repro").wait()
    case.bench.resize(None)
    return [ended]


def _written(top: Path, stage: Stage) -> int:
    """Count the bytes that a stage writes."""
    return sum(path.stat().st_size for path in _files(top, stage.outs + stage.plain))


def _files(top: Path, places: tuple[str, ...]) -> list[Path]:
    """List the files at or below places."""
    found = (path for place in places for path in (top / place, *(top / place).rglob("*")))
    return [path for path in found if path.is_file()]


def read_only(case: Case) -> list[Ended]:
    """Take away the right to write to a folder that the stage writes to; give it back."""
    case.begin()
    folders = {Path(path).parts[0] for path in (*case.stage.outs, *case.stage.plain)}
    folders |= {"runs", *(("checkpoints",) if case.stage.name in UNFINISHED else ())}
    folder = case.bench.tree / str(case.random.choice(sorted(folders)))
    folder.mkdir(exist_ok=True)
    case.told.append(f"{folder.name} is read-only")
    folder.chmod(0o555)
    ended = case.bench.dvc("repro").wait()
    folder.chmod(0o755)
    return [ended]


def few_handles(case: Case) -> list[Ended]:
    """Let the stage open only a few files beyond those that it has when it begins."""
    return _limited(case, "NOFILE", int(case.random.integers(0, 12)))


def little_memory(case: Case) -> list[Ended]:
    """Let the stage have only so much address space beyond what it has when it begins."""
    return _limited(case, "AS", int(2 ** case.random.uniform(8, 10) * MB))


def short_files(case: Case) -> list[Ended]:
    """Let no file of the stage become longer than a drawn share of its longest."""
    sizes = [
        path.stat().st_size for path in _files(case.bench.whole, case.stage.outs + case.stage.plain)
    ]
    return _limited(case, "FSIZE", int(case.random.integers(1, max(sizes))))


def _limited(case: Case, resource: str, amount: int) -> list[Ended]:
    case.told.append(f"{resource} {amount}")
    return _trapped(case, case.stage.module, at=1, do="limit", resource=resource, amount=amount)


# Files that are damaged.


def damage(case: Case, path: Path, how: str) -> None:
    """Damage a file in place: its name and mode stay, its time only where that is said."""
    case.told.append(f"{how} {path.relative_to(case.bench.tree)}")
    case.rotten = True
    if how == "drop":
        path.unlink()
        return
    before = path.stat()
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    if how.startswith("flip"):
        bit = int(case.random.integers(8 * len(content)))
        content[bit // 8] ^= 1 << bit % 8
    elif how == "cut":
        del content[int(case.random.integers(len(content))) :]
    elif how == "zero":
        page = PAGE_BYTES * int(case.random.integers(-(-len(content) // PAGE_BYTES)))
        content[page : page + PAGE_BYTES] = bytes(len(content[page : page + PAGE_BYTES]))
    with path.open("r+b") as file:  # not a new file: it may be known by another name, too
        file.write(content)
        file.truncate()
    path.chmod(before.st_mode)
    if how == KEPT or ".dvc/cache" in str(path):  # DVC takes it for what it was
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def damaged_output(case: Case, how: str) -> list[Ended]:
    """Damage what the stage wrote, when all has run."""
    case.bench.whole_to_tree()
    case.bench.dvc("status").wait()  # DVC knows the files, by their times and sizes
    damage(case, case.pick(_files(case.bench.tree, case.stage.outs + case.stage.plain)), how)
    return [case.bench.dvc("repro").wait()]


def damaged_input(case: Case, how: str) -> list[Ended]:
    """Damage what the stage is about to read; DVC looks at the stage alone."""
    case.begin()
    case.bench.dvc("status").wait()
    damage(case, case.pick(_files(case.bench.tree, case.stage.deps)), how)
    return [case.bench.dvc("repro", "--single-item", case.stage.name).wait()]


def damaged_cache(case: Case, how: str) -> list[Ended]:
    """Damage the cached copy of a lost output that another stage is about to read."""
    case.bench.whole_to_tree()
    readers = case.bench.readers(case.stage)
    if readers:
        reader = readers[int(case.random.integers(len(readers)))]
        case.told.append(f"before {reader.name}")
        case.bench.forget(reader)
    damage(case, case.pick(case.bench.objects_of(case.stage)), how)
    for out in case.stage.outs:
        remove(case.bench.tree / out)
    return [case.bench.dvc("repro").wait()]


def damaged_lock(case: Case, how: str) -> list[Ended]:
    """Damage dvc.lock, before the stage runs."""
    case.begin()
    damage(case, case.bench.tree / "dvc.lock", how)
    return [case.bench.dvc("repro").wait()]


def damaged_rwlock(case: Case) -> list[Ended]:
    """Leave DVC's list of who reads and writes as a kill leaves it: empty, half, of the dead."""
    case.begin()
    dead = {"pid": 2**22 + 1, "cmd": "dvc repro"}  # beyond the largest of Linux
    whole = json.dumps({"write": {str(case.bench.tree / out): dead for out in case.stage.outs}})
    kinds = {"empty": "", "half": whole[: len(whole) // 2], "of the dead": whole}
    kind = str(case.random.choice(sorted(kinds)))
    case.told.append(kind)
    path = case.bench.tree / ".dvc/tmp/rwlock"
    path.parent.mkdir(exist_ok=True)
    path.write_text(kinds[kind])
    return [case.bench.dvc("repro").wait()]


def empty_run_cache(case: Case) -> list[Ended]:
    """Leave what DVC knows of runs of before as a kill leaves it: a folder without the file."""
    known = [path.relative_to(case.bench.whole) for path in case.bench.known_runs(case.stage)]
    case.begin()
    for path in known:
        (case.bench.tree / path).mkdir(parents=True, exist_ok=True)
    case.hit = bool(known)
    return [case.bench.dvc("repro").wait()]


def damaged_work(case: Case, how: str) -> list[Ended]:
    """Kill a stage that goes on where it was, late, and damage what it would go on from."""
    case.begin()
    count = case.bench.changes[f"{case.stage.module} {case.stage.name}"]
    order = {"do": "signal", "signal": "KILL", "whom": "group"}
    while True:  # at the end its work is cleared away
        at = int(case.random.integers(2, count + 1))
        case.bench.dvc("repro", trap={"who": [case.stage.module], "at": at, **order}).wait()
        left = [
            path
            for path in (case.bench.tree / "checkpoints").rglob("*")
            if path.is_file() and path.stat().st_size and not path.name.startswith(".")
        ]
        if left:
            break
        case.begin()
    case.told.append(f"killed at change {at}")
    damage(case, case.pick(left), how)
    return [case.bench.dvc("repro").wait()]


# Time, and others.


def clock(case: Case, seconds: float) -> list[Ended]:
    """Move the times of all files, as a clock does that jumps."""
    case.begin()
    now = time.time() + seconds
    for path in _files(case.bench.tree, ("data", "models", "metrics", "plots", "stages", "fhvae")):
        os.utime(path, (now, now))
    return [case.bench.dvc("repro").wait()]


def clock_within(case: Case, seconds: float) -> list[Ended]:
    """Let the clock jump in the stage or in dvc, at one of its changes."""
    who = str(case.random.choice([case.stage.module, "dvc"]))
    return _trapped(case, who, do="jump", seconds=seconds)


def two_runs(case: Case) -> list[Ended]:
    """Type `dvc repro` twice in one tree, a drawn moment apart."""
    case.begin()
    first = case.bench.dvc("repro")
    seconds = float(case.random.uniform(0, 2 + case.bench.seconds[case.stage.name]))
    case.told.append(f"{seconds:.3f} s apart")
    time.sleep(seconds)
    second = case.bench.dvc("repro")
    return [second.wait(), first.wait()]


def two_experiments(case: Case) -> list[Ended]:
    """Run the stage in two temporary copies that share a folder of checkpoints."""
    case.begin()
    case.bench.commit()
    shared = str(case.bench.folder / "shared")
    shutil.rmtree(shared, ignore_errors=True)
    both = [
        case.bench.dvc("exp", "run", "--temp", "-n", name, case.stage.name, FHVAE_CKPT_DIR=shared)
        for name in ("one", "two")
    ]
    ended = [running.wait() for running in both]
    wanted = case.bench.wanted[LOCK]
    for name, one in zip(("one", "two"), ended, strict=True):
        if one.code == 0 and case.bench.lock_of(name) != wanted:
            case.unequal.append(f"dvc.lock of experiment {name}")
    return ended


def orphan(case: Case) -> list[Ended]:
    """Kill dvc alone at a change of its stage, which goes on when the next run has ended."""
    return _orphan(case, case.bench.wanted)


def orphan_of_another_alpha(case: Case) -> list[Ended]:
    """Kill dvc alone; its training of alpha 10 goes on when one of alpha 0 has ended."""
    ended = _orphan(case, case.bench.alpha_zero, alpha=0.0)
    set_params(case.bench.tree / "params.yaml", {"alpha": 10.0})
    return ended


def _orphan(case: Case, wanted: Mapping[str, str], **changed: float) -> list[Ended]:
    ended = _trapped(case, case.stage.module, do="leave", seconds=LONGEST_ALONE_S)
    if not case.hit:
        return ended
    set_params(case.bench.tree / "params.yaml", dict(changed))
    ended.append(case.bench.dvc("repro", case.stage.name).wait())
    (case.bench.struck / "go").touch()
    case.bench.end()
    if ended[-1].code == 0:  # and nobody is told of what comes after
        found = case.bench.digests()
        own = tuple(case.stage.outs + case.stage.plain)
        case.unequal += [
            f"{name}, by an orphan"
            for name, digest in wanted.items()
            if name.startswith(own) and found.get(name) != digest
        ]
    return ended


def edited_meanwhile(case: Case) -> list[Ended]:
    """Set another alpha while the stage runs, and the old one when it has ended."""
    case.begin()
    params = case.bench.tree / "params.yaml"
    running = case.bench.dvc("repro", case.stage.name)
    while running.below(case.stage.module) is None and running.process.poll() is None:
        time.sleep(0.002)
    record = case.bench.tree / f"runs/{case.stage.name}.json"
    while not record.exists() and running.process.poll() is None:
        time.sleep(0.002)
    seconds = float(case.random.uniform(0.5, 1) * case.bench.seconds[case.stage.name])
    case.told.append(f"{seconds:.3f} s into its work")
    time.sleep(seconds)
    case.hit = running.process.poll() is None
    set_params(params, {"alpha": 0.0})
    ended = running.wait()
    if ended.code == 0 and case.bench.digests()[LOCK] != case.bench.wanted[LOCK]:
        case.unequal.append("dvc.lock, by an edit")
    set_params(params, {"alpha": 10.0})
    return [ended]


def goes_on(stage: Stage) -> bool:
    """Say whether a stage goes on where it was killed."""
    return stage.name in UNFINISHED


def of_alpha(stage: Stage) -> bool:
    """Say whether alpha decides what a stage writes."""
    return stage.name == "train"


def _every() -> Iterator[Fault]:
    for name in ("KILL", "TERM", "INT", "HUP"):
        for whom in ("stage", "dvc", "group"):
            yield Fault(f"{name} {whom}, any moment", partial(at_a_moment, name=name, whom=whom))
            yield Fault(f"{name} {whom}, at a change", partial(at_a_change, name=name, whom=whom))
        yield Fault(f"{name} dvc, at its change", partial(in_dvc, name=name))
    yield Fault("disk full from a change on", full_from_a_change)
    yield Fault("disk full", full_disk, lambda _: can_mount())
    yield Fault("folder read-only", read_only)
    yield Fault("few handles", few_handles)
    yield Fault("little memory", little_memory)
    yield Fault("files cut short", short_files)
    for how in (*HOWS, KEPT):
        yield Fault(f"output: {how}", partial(damaged_output, how=how))
        yield Fault(f"input: {how}", partial(damaged_input, how=how), lambda one: bool(one.deps))
    for how in HOWS:
        yield Fault(f"cache: {how}", partial(damaged_cache, how=how), lambda one: bool(one.outs))
        yield Fault(f"unfinished work: {how}", partial(damaged_work, how=how), goes_on)
        yield Fault(f"dvc.lock: {how}", partial(damaged_lock, how=how))
    yield Fault("rwlock", damaged_rwlock)
    yield Fault("run cache: an empty folder", empty_run_cache)
    yield Fault("clock ahead", partial(clock, seconds=YEAR_S))
    yield Fault("clock back", partial(clock, seconds=-YEAR_S))
    yield Fault("clock ahead, in a process", partial(clock_within, seconds=YEAR_S))
    yield Fault("clock back, in a process", partial(clock_within, seconds=-YEAR_S))
    yield Fault("two runs", two_runs)
    yield Fault("two experiments, one folder of checkpoints", two_experiments, goes_on)
    yield Fault("orphan", orphan)
    yield Fault("orphan of another alpha", orphan_of_another_alpha, of_alpha)
    yield Fault("alpha edited meanwhile", edited_meanwhile, of_alpha)


FAULTS = {fault.name: fault for fault in _every()}
