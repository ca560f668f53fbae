"""DVC's queue of experiments: put in what is missing, heal what was killed, watch it to the end.

What a member came to is read by `dvc.api.exp_show`; the queue itself is driven by the commands that
a user would type (`dvc exp run --queue`, `dvc queue start`, `dvc queue kill`, `dvc queue remove`).
Members belong to the commit they were queued at: after another commit they are missing again.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fhvae.errors import FhvaeError
from fhvae.progress import progress_bar

SUCCESS, RUNNING, QUEUED, FAILED, MISSING = "Success", "Running", "Queued", "Failed", "missing"
ATTEMPTS = 10  # to read experiments, a second apart
SHOWN_S = 120  # and then it is asked again
MOST_TRIES = 3  # of an experiment that got lost: its worker was killed, or its place in the queue
UNSEEN = 3  # looks without it before one that was put in counts as lost
ENDING_S = 120  # an experiment that was told to end has ended within that
LOOK_S = 60.0  # between two looks at the queue; one costs two seconds of a core
QUEUED_LINE = re.compile(rf"^(\w+)\s+(\S+)\s.*{QUEUED}\s*$", re.MULTILINE)
SHOW = """
import json, dvc.api
rows = [row for row in dvc.api.exp_show() if row["Experiment"]]
print(json.dumps([[row["Experiment"], row["State"], row["rev"]] for row in rows]))
"""


class QueueError(FhvaeError):
    """The queue of experiments cannot go on."""


@dataclass(frozen=True)
class Member:
    """One experiment.

    Attributes:
        name: of the experiment, as `dvc exp show` lists it.
        flags: `key=value` for -S.
        targets: stages to run up to; all if there is none.
    """

    name: str
    flags: tuple[str, ...]
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """What DVC says of a member.

    Attributes:
        state: of `Success`, `Running`, `Queued`, `Failed`, `missing`.
        rev: its commit, abbreviated; "" where it is missing.
    """

    state: str
    rev: str = ""


@dataclass
class Course:
    """What became of a member by one call.

    Attributes:
        put: how often it was put into the queue.
        unseen: looks in a row at which DVC did not list it; as it begins, one is seen nowhere.
    """

    put: int = 0
    unseen: int = 0

    @property
    def is_lost(self) -> bool:
        """Whether it is neither queued nor running nor ended."""
        return self.unseen >= (UNSEEN if self.put else 1)

    def is_over(self, state: str) -> bool:
        """Tell whether nothing more is to come in this state."""
        gave_up = self.is_lost and self.put >= MOST_TRIES
        return state in (SUCCESS, FAILED) or gave_up


class Queue:
    """The queue of one repository.

    Args:
        root: of the clone; what git tracks in it must be as committed.
        jobs: experiments at a time, which share the cores.
        checkpoints: of trainings, so that a killed one goes on; shared by all members.
        written: files and folders that a run itself may have changed, below the root.
        look_s: seconds between two looks at what has ended.
    """

    def __init__(
        self,
        root: Path,
        jobs: int,
        checkpoints: Path,
        written: Sequence[str] = (),
        look_s: float = LOOK_S,
    ) -> None:
        if jobs < 1:
            raise QueueError(f"--jobs must be 1 at least, found {jobs}")
        self.root = root
        self.written = written
        self.look_s = look_s
        self.jobs = jobs
        workers = max(1, (os.cpu_count() or 1) // jobs)
        self.environment = {
            "FHVAE_WORKERS": str(workers),
            **os.environ,
            "FHVAE_CKPT_DIR": str(checkpoints.resolve()),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def found(self, members: Iterable[Member]) -> dict[str, Found]:
        """Read the state of members from DVC, by name."""
        shown = self._shown()
        return {member.name: shown.get(member.name, Found(MISSING)) for member in members}

    def _shown(self) -> dict[str, Found]:
        """Ask DVC, in a process of its own.

        It fails, or waits for ever, where it looks into an experiment's folder that comes or goes.
        """
        for _ in range(ATTEMPTS):
            with suppress(subprocess.TimeoutExpired, QueueError, ValueError):
                said = self._call(sys.executable, "-c", SHOW, timeout_s=SHOWN_S)
                rows = json.loads(said.splitlines()[-1])  # warnings may stand before
                return {name: Found(state or SUCCESS, rev) for name, state, rev in rows}
            time.sleep(1)
        raise QueueError(
            f"DVC must be able to show its experiments, it did not at {ATTEMPTS} attempts: type "
            "`dvc exp show` to see why, `dvc queue remove --all` to begin again"
        )

    def run(self, members: Sequence[Member], ended: Callable[[Member, Found], None]) -> list[str]:
        """Run what has not succeeded, and wait for it.

        Args:
            members: in the order in which they are to run.
            ended: called once for each that has succeeded, those of earlier runs included.

        Returns:
            The names of those that failed.

        Raises:
            QueueError: if the tree differs from its commit, or DVC refuses a command.
        """
        self._check_clean()
        self._forget_other_commits(members)
        course = {one.name: Course() for one in members}
        told: set[str] = set()
        with progress_bar(None, "experiments", "run", total=len(members)) as bar:
            while True:
                workers = self._workers()  # asked first: the result of one that ended is there
                states = self.found(members)
                for member in members:
                    if states[member.name].state == SUCCESS and member.name not in told:
                        ended(member, states[member.name])
                        told.add(member.name)
                        bar.update()
                due = self._due(members, states, course, attended=workers > 0)
                self._put(due)
                waiting = any(one.state == QUEUED for one in states.values())
                if due or (waiting and workers < self.jobs):
                    self._dvc("queue", "start", "--jobs", str(self.jobs))
                elif all(course[name].is_over(one.state) for name, one in states.items()):
                    return [one.name for one in members if one.name not in told]
                time.sleep(self.look_s)

    def _due(
        self,
        members: Sequence[Member],
        states: Mapping[str, Found],
        course: Mapping[str, Course],
        attended: bool,
    ) -> list[Member]:
        """Choose what must be put in: what never was, what failed before, and what got lost.

        Args:
            members: in their order.
            states: as they were just seen.
            course: of each by this call; it is brought up to date.
            attended: whether a worker lives; without one nothing runs, whatever DVC says.
        """
        running = [one for one in members if states[one.name].state == RUNNING]
        broken = [] if attended else self._end(running)
        broken += [
            one for one in members if states[one.name].state == FAILED and not course[one.name].put
        ]
        if broken:
            self._dvc("queue", "remove", *(one.name for one in broken))
        due = []
        for member in members:
            own = course[member.name]
            own.unseen = own.unseen + 1 if states[member.name].state == MISSING else 0
            if (own.is_lost or member in broken) and own.put < MOST_TRIES:
                own.put += 1
                due.append(member)
        return due

    def _check_clean(self) -> None:
        but = [f":!{path}" for path in self.written]
        status = ("status", "--porcelain", "--untracked-files=no", "--", ".", *but)
        changed = self._git(*status).splitlines()
        if changed:
            raise QueueError(
                f"experiments are made of a commit, so no tracked file may differ from it, found "
                f"{len(changed)} ({changed[0].strip()}): commit, or `git stash`"
            )

    def _forget_other_commits(self, members: Sequence[Member]) -> None:
        """Take out of the queue what has a member's name and was put in at another commit.

        It would run first, and `dvc exp show` would not list it.
        """
        if self._workers():  # which may not be asked by `dvc queue status`, see there
            return
        here, names = self._shown(), {member.name for member in members}
        listed = QUEUED_LINE.findall(self._dvc("queue", "status"))
        old = [task for task, name in listed if name in names and name not in here]
        if old:
            self._dvc("queue", "remove", *old)

    def _end(self, members: Sequence[Member]) -> list[Member]:
        """End experiments that nobody watches; give those that have failed by it.

        DVC notices that one is dead when it is told to kill it again.
        """
        begun = time.monotonic()
        while True:
            states = self.found(members)
            left = [one.name for one in members if states[one.name].state == RUNNING]
            if not left:
                return [one for one in members if states[one.name].state == FAILED]
            if time.monotonic() - begun > ENDING_S:
                raise QueueError(
                    f"an experiment whose worker is gone must end within {ENDING_S} s, {left[0]} "
                    f"still runs: `dvc queue kill --force {left[0]}`"
                )
            for name in left:
                with suppress(QueueError):  # it ended by itself just now
                    self._dvc("queue", "kill", name)

    def _put(self, members: Sequence[Member]) -> None:
        for member in progress_bar(members, "queue", "run", shown=bool(members)):
            flags = [part for flag in member.flags for part in ("-S", flag)]
            self._dvc("exp", "run", "--queue", "--name", member.name, *flags, *member.targets)

    def _workers(self) -> int:
        """Count the workers that are alive, by the notes that DVC keeps of them.

        Not by `dvc queue status`: it sends the workers a message through files, and one that reads
        its file half-written ends (kombu's transport `filesystem`).
        """
        alive = 0
        for note in (self.root / ".dvc" / "tmp" / "exps" / "celery").glob("*.json"):
            try:
                found = json.loads(note.read_text(encoding="utf-8"))
                os.kill(found["pid"], 0)
            except (OSError, ValueError):  # gone, or the note is being written
                continue
            alive += found["returncode"] is None
        return alive

    def _dvc(self, *words: str) -> str:
        return self._call(sys.executable, "-m", "dvc", *words)

    def _git(self, *words: str) -> str:
        return self._call("git", *words)

    def _call(self, *command: str, timeout_s: float | None = None) -> str:
        # a file, not a pipe: workers that a command leaves behind would hold a pipe open
        with tempfile.TemporaryFile("w+") as said:
            done = subprocess.run(
                command,
                cwd=self.root,
                env=self.environment,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
            )
            said.seek(0)
            output = said.read()
        if done.returncode:
            lines = output.strip().splitlines() or ["no message"]
            errors = [line for line in lines if line.startswith(("ERROR", "error"))]
            typed = " ".join(command).removeprefix(f"{sys.executable} -m ")
            raise QueueError(
                f"`{typed}` must succeed, it ended with {done.returncode}: {(errors or lines)[-1]}"
            )
        return output
