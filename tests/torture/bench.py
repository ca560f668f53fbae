"""The tree under torture: an undisturbed run, copies of it before a stage, processes in them."""

import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import yaml

from benchmarks.process_tree import descendants
from fhvae.files.atomic import read_json, write_json
from fhvae.files.locks import lock_or_wait
from tests.tiny import make_tiny, set_params
from tests.tiny_clone import ROOT, Clone, copy_of_working_tree
from tests.tones import write_tone_corpus

PATIENCE_S = 300  # of a command that takes seconds: beyond, it is blocked
TRAP = Path(__file__).with_name("trap")
TOPS, LOCK = ("data", "models", "metrics", "plots"), "dvc.lock"
ROOMY_BYTES = 4 << 30  # of a disk in memory, which takes only what is in it
# Still smaller than the tiny one: a case runs a stage twice.
SPEAKERS, UTTERANCES = {"train": 4, "dev": 2, "test": 4}, 3
SMALLER: dict[str, object] = {
    "training.epoch_steps": 4,
    "training.max_epochs": 4,
    "ivector.ubm_iterations": 2,
    "ivector.iterations": 1,
    "verification.bootstrap": 10,
    "verification.plda_iterations": 1,
    "probes.mlp_epochs": 2,
    "probes.control_clusters": 5,
    "probes.abx_items": 2,
    "listening.rounds": 1,
    "listening.references": 1,
    "listening.enrolled": 1,
    "listening.denoised": 1,
    "listening.examples": 1,
}
GIT = (
    ("init", "-q"),
    ("config", "user.name", "tester"),
    ("config", "user.email", "tester@example.org"),
    ("add", "-A"),
    ("commit", "-q", "-m", "As it is"),
)
PASSING = (".dvc", ".git", "runs")  # what changes from run to run
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1  # linux/prctl.h, linux/capability.h


@dataclass(frozen=True)
class Stage:
    """A stage by what it reads of other stages and what it writes, paths from the top.

    Attributes:
        outs: kept in DVC's cache.
        plain: metrics and plots, in git.
    """

    name: str
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    plain: tuple[str, ...]

    @property
    def module(self) -> str:
        """What follows `python -m`."""
        return f"stages.{self.name}"


@dataclass(frozen=True)
class Ended:
    """How a command ended; `code` is None where it had to be killed."""

    command: str
    code: int | None
    said: str


class Running:
    """A command in a session of its own, so that its id is that of its group and its session."""

    def __init__(self, command: tuple[str, ...], folder: Path, environment: Mapping[str, str]):
        self.command = " ".join(command)
        self.log = (folder.parent / f"said-{time.monotonic_ns()}").open("w+", errors="replace")
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_as_a_user,
        )

    def below(self, name: str) -> int | None:
        """Find the process of a module below this one."""
        for pid in descendants(self.process.pid):
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if line[1:3] == [b"-m", name.encode()]:
                return pid
        return None

    def wait(self) -> Ended:
        """Wait until it ends."""
        try:
            code: int | None = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            code = None
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        return Ended(self.command, code, Path(self.log.name).read_text(errors="replace"))

    def wait_for_all(self) -> None:
        """Wait until nothing that it started is left, then forget what it said."""
        deadline = time.monotonic() + PATIENCE_S
        while _is_left(self.process.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.log.close()
        Path(self.log.name).unlink(missing_ok=True)


def _as_a_user() -> None:
    """Let signals do what they do, and let root be held to the modes of files as all others are."""
    for name in ("SIGINT", "SIGHUP", "SIGTERM"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)


def _is_left(session: int) -> bool:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            return True
    return False


class Bench:
    """A folder with an undisturbed run of the tiny pipeline, and the tree of the case at hand."""

    def __init__(self, folder: Path, code: str) -> None:
        """Take up what an earlier call made of the same code, else make it: two minutes."""
        self.folder, self.whole, self.tree = folder, folder / "whole", folder / "clone"
        self.struck = folder / "struck"  # what a trap says
        self.running: list[Running] = []
        folder.mkdir(parents=True, exist_ok=True)
        self.lock = (folder / "lock").open("w")
        lock_or_wait(self.lock.fileno(), f"another torture in {folder}")
        path = folder / "facts.json"
        if not path.exists() or read_json(path)["code"] != code:
            path.unlink(missing_ok=True)
            write_json(path, {"code": code, **self._make()})
        facts = read_json(path)
        self.changes: dict[str, int] = facts["changes"]
        self.seconds: dict[str, float] = facts["seconds"]
        self.alpha_zero: dict[str, str] = facts["alpha_zero"]
        self.stages = {stage.name: stage for stage in stages_of(self.whole)}
        self.wanted, self.names = digests(self.whole), names(self.whole)

    def _make(self) -> dict[str, Any]:
        """Run the pipeline undisturbed; count what each stage and DVC change meanwhile."""
        for path in (self.whole, self.tree, self.struck, self.folder / "tones"):
            remove(path)
        self._clone()
        changes = {}
        for stage in stages_of(self.tree):
            self.struck.mkdir()
            told = {"who": ["dvc", stage.module], "at": 0}
            ended = self.dvc("repro", "--single-item", stage.name, trap=told).wait()
            assert ended.code == 0, ended.said
            for path in self.struck.iterdir():
                changes[f"{path.name} {stage.name}"] = len(path.read_text().splitlines())
            remove(self.struck)
        self.end()
        self.commit()
        records = {path.stem: read_json(path) for path in self.tree.glob("runs/*.json")}
        subprocess.run(["cp", "-a", self.tree, self.whole], check=True)
        set_params(self.tree / "params.yaml", {"alpha": 0.0})
        assert self.dvc("repro", "train").wait().code == 0
        self.end()
        return {
            "changes": changes,
            "seconds": {name: record["wall_s"] for name, record in records.items()},
            "alpha_zero": digests(self.tree),
        }

    def _clone(self) -> None:
        """Make a repository in which no code and no param but alpha is a dependency: none changes.

        DVC takes seconds, each time it starts, to read a dvc.lock that names all of them.
        """
        corpus = write_tone_corpus(self.folder / "tones", SPEAKERS, UTTERANCES)
        copy_of_working_tree(self.tree)
        make_tiny(self.tree / "params.yaml", corpus)
        set_params(self.tree / "params.yaml", SMALLER)
        path = self.tree / "dvc.yaml"
        told = _read_yaml(path)
        for entry in told["stages"].values():
            entry["deps"] = [dep for dep in entry["deps"] if Path(dep).parts[0] in TOPS]
            entry["params"] = [name for name in entry.get("params", ()) if name == "alpha"]
        path.write_text(yaml.safe_dump(told, sort_keys=False))
        clone = Clone(self.tree)
        for command in GIT:
            clone.run("git", *command)

    def close(self) -> None:
        """Leave no disk mounted."""
        if self.tree.is_mount():
            subprocess.run(["umount", self.tree], check=True)

    def whole_to_tree(self, disk: bool = False) -> None:
        """Put a copy of the undisturbed run where the case is played, perhaps on its own disk."""
        self.close()
        remove(self.tree)
        self.tree.mkdir()
        if disk:
            mount(self.tree)
        subprocess.run(["cp", "-a", "--reflink=auto", f"{self.whole}/.", self.tree], check=True)
        remove(self.struck)
        self.struck.mkdir()

    def resize(self, room: int | None) -> None:
        """Leave so many bytes of the tree's own disk free, or many."""
        held = os.statvfs(self.tree)
        used = held.f_frsize * (held.f_blocks - held.f_bfree)
        size = used + room if room is not None else ROOMY_BYTES
        remount = ["mount", "-o", f"remount,size={size}", self.tree]
        subprocess.run(remount, check=True)

    def forget(self, stage: Stage) -> None:
        """Make the tree one in which a stage has not run, and all others have."""
        lock = _read_yaml(self.tree / "dvc.lock")
        own = lock["stages"].pop(stage.name)
        kept = {name for entry in lock["stages"].values() for name in self._objects(entry)}
        for name in set(self._objects(own)) - kept:
            self.object_of(name).unlink(missing_ok=True)
        (self.tree / "dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))
        for path in (*stage.outs, *stage.plain, f"runs/{stage.name}.json"):
            remove(self.tree / path)
        for path in self.known_runs(stage):
            remove(self.tree / path.relative_to(self.whole))

    def known_runs(self, stage: Stage) -> list[Path]:
        """List the folders of the undisturbed run in which DVC keeps what a stage was run on."""
        return [
            path
            for path in (self.whole / ".dvc/cache/runs").glob("*/*")
            if any(f"-m {stage.module} " in run.read_text() for run in path.iterdir())
        ]

    def _objects(self, entry: Mapping[str, Any]) -> Iterator[str]:
        """Yield the names in the cache of what a stage wrote."""
        for out in entry.get("outs", ()):
            yield out["md5"]
            if out["md5"].endswith(".dir") and self.object_of(out["md5"]).exists():
                listed = json.loads(self.object_of(out["md5"]).read_text())
                yield from (file["md5"] for file in listed)

    def objects_of(self, stage: Stage) -> list[Path]:
        """List the files in the cache of what a stage wrote."""
        lock = _read_yaml(self.tree / "dvc.lock")
        found = map(self.object_of, sorted(set(self._objects(lock["stages"][stage.name]))))
        return [path for path in found if path.exists()]

    def object_of(self, name: str) -> Path:
        """Say where the cache keeps what has this MD5."""
        return self.tree / ".dvc/cache/files/md5" / name[:2] / name[2:]

    def dvc(self, *arguments: str, trap: Mapping[str, Any] | None = None, **more: str) -> Running:
        """Start dvc in the tree, perhaps with a trap in one of its processes."""
        return self.start("dvc", *arguments, trap=trap, **more)

    def start(self, *command: str, trap: Mapping[str, Any] | None = None, **more: str) -> Running:
        """Start a command in the tree; `more` are variables of its environment."""
        environment = Clone(self.tree).environment(workers=1) | more
        environment["DVC_SITE_CACHE_DIR"] = str(self.folder / "site")
        if trap:
            order = {"log": str(self.struck), **trap}
            environment |= {"TORTURE": json.dumps(order), "PYTHONPATH": str(TRAP)}
        self.running.append(Running(command, self.tree, environment))
        return self.running[-1]

    def end(self) -> None:
        """Wait until nothing that was started is left."""
        for running in self.running:
            running.wait_for_all()
        self.running.clear()

    def digests(self) -> dict[str, str]:
        """Hash the results in the tree."""
        return digests(self.tree)

    def commit(self) -> None:
        """Commit the tree as it is."""
        for command in GIT[-2:]:
            Clone(self.tree).run("git", *command)

    def lock_of(self, experiment: str) -> str:
        """Read what dvc.lock says in an experiment."""
        git = partial(subprocess.run, cwd=self.tree, capture_output=True, text=True, check=True)
        refs = git(["git", "for-each-ref", "--format=%(refname)", "refs/exps"]).stdout.split()
        ref = next(ref for ref in refs if ref.endswith(f"/{experiment}"))
        told = git(["git", "show", f"{ref}:{LOCK}"]).stdout
        return told_by(yaml.load(told, Loader=yaml.CSafeLoader))

    def readers(self, stage: Stage) -> list[Stage]:
        """List the stages that read what a stage wrote."""
        return [one for one in self.stages.values() if set(one.deps) & set(stage.outs)]

    def unequal(self) -> list[str]:
        """List the results that are not those of the undisturbed run, or are not there."""
        found = self.digests()
        return [name for name, digest in self.wanted.items() if found.get(name) != digest]

    def leftovers(self) -> list[str]:
        """List what the undisturbed run did not leave; in DVC's cache, what is no object.

        The log of a training stays, of any.
        """
        return sorted(
            name
            for name in names(self.tree) - self.names
            if not re.fullmatch(r"checkpoints/\w+(/log\.jsonl)?", name)
        )


def stages_of(folder: Path) -> Iterator[Stage]:
    """Read dvc.yaml; a stage comes after those that it reads of."""
    told = _read_yaml(folder / "dvc.yaml")["stages"]
    waiting = {name: _stage(name, entry) for name, entry in told.items()}
    written = {out: stage.name for stage in waiting.values() for out in stage.outs + stage.plain}
    while waiting:
        ready = [
            stage
            for stage in waiting.values()
            if not any(written.get(dep) in waiting for dep in stage.deps)
        ]
        for stage in ready:
            yield waiting.pop(stage.name)


def _stage(name: str, entry: Mapping[str, Any]) -> Stage:
    def paths(key: str) -> tuple[str, ...]:
        return tuple(one if isinstance(one, str) else next(iter(one)) for one in entry.get(key, ()))

    deps = tuple(path for path in paths("deps") if Path(path).parts[0] in TOPS)
    outs, told = paths("outs"), paths("metrics") + paths("plots")
    kept = tuple(path for path in outs if path.startswith(("data/", "models/")))
    return Stage(name, deps, kept, told + tuple(path for path in outs if path not in kept))


def _read_yaml(path: Path) -> Any:
    return yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)


def digests(folder: Path) -> dict[str, str]:
    """Hash all results below a folder; of dvc.lock what it says, in whatever order."""
    found = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for top in TOPS
        for path in (folder / top).rglob("*")
        if path.is_file()
    }
    lock = folder / LOCK
    try:
        found[LOCK] = told_by(_read_yaml(lock))
    except (OSError, ValueError, yaml.YAMLError) as error:
        found[LOCK] = str(error)
    return found


def told_by(lock: Any) -> str:
    """Write down what a dvc.lock says, but sizes: notes that DVC never reads, and git shows."""
    if isinstance(lock, dict):
        lock = {name: one for name, one in lock.items() if name not in ("size", "nfiles")}
        return json.dumps({str(name): told_by(one) for name, one in lock.items()}, sort_keys=True)
    return json.dumps([told_by(one) for one in lock] if isinstance(lock, list) else lock)


def mount(folder: Path) -> None:
    """Give a folder a disk of its own, in memory.

    Raises:
        OSError, CalledProcessError: only root may, and not in every container.
    """
    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOMY_BYTES}", "torture", folder]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


@cache
def can_mount() -> bool:
    """Say whether this process may give a folder a disk of its own."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            mount(Path(folder))
        except (OSError, subprocess.CalledProcessError):
            return False
        subprocess.run(["umount", folder], check=True)
    return True


def names(folder: Path) -> set[str]:
    """List all files and folders that a run may leave; of DVC's cache, what is no object."""
    found = set()
    for top, folders, files in os.walk(folder):
        here = Path(top).relative_to(folder)
        if here == Path():
            folders[:] = [name for name in folders if name not in PASSING]
        folders[:] = [name for name in folders if name != "__pycache__"]
        found |= {str(here / name) for name in (*folders, *files)}
    objects = (folder / ".dvc/cache/files").rglob("*")
    found |= {
        str(path.relative_to(folder)) for path in objects if path.is_file() and not _is_object(path)
    }
    return found


def _is_object(path: Path) -> bool:
    name = path.parent.name + path.name.removesuffix(".dir")
    return len(name) == 32 and set(name) <= set("0123456789abcdef")


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def code_digest() -> str:
    """Name the working tree: cases played on other code say nothing of this one."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = hashlib.sha256(sys.version.encode())
    for name in sorted(listed.split("\0")):
        if name.startswith(("fhvae/", "stages/", "dvc.yaml", "params.yaml", "tests/t", ".dvc/")):
            path = ROOT / name
            found.update(name.encode() + (path.read_bytes() if path.is_file() else b""))
    return found.hexdigest()[:12]
