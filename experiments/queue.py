"""DVC's queue of experiments: put in what is missing, heal what was killed, watch it to the end.

What a member came to is read by `dvc.api.exp_show`; the queue itself is driven by the commands that
a user would type (`dvc exp run --queue`, `dvc queue start`, `dvc queue kill`, `dvc queue remove`).
Members belong to the commit they were queued at: after another commit they are missing again.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dvc.api
from dvc.exceptions import DvcException

from fhvae.errors import FhvaeError
from fhvae.progress import progress_bar

SUCCESS, RUNNING, QUEUED, FAILED, MISSING = "Success", "Running", "Queued", "Failed", "missing"
WORKERS = re.compile(r"Worker status: (\d+) active, (\d+) idle")
STARTING_S = 60  # a worker that was started shows itself within that
ATTEMPTS = 10  # to read experiments, a second apart
QUESTIONS = 5  # to workers before they count as gone
ENDING_S = 120  # an experiment that was told to end has ended within that
LOOK_S = 20.0  # between two looks at the queue; one costs two seconds of a core


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


class Queue:
    """The queue of one repository.

    Args:
        root: of the clone; what git tracks in it must be as committed.
        jobs: experiments at a time, which share the cores.
        checkpoints: of trainings, so that a killed one goes on; shared by all members.
        look_s: seconds between two looks at what has ended.
    """

    def __init__(self, root: Path, jobs: int, checkpoints: Path, look_s: float = LOOK_S) -> None:
        self.root = root
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
        rows = self._shown()
        shown = {row["Experiment"]: row for row in rows if row["Experiment"]}
        return {
            member.name: Found(shown[member.name]["State"] or SUCCESS, shown[member.name]["rev"])
            if member.name in shown
            else Found(MISSING)
            for member in members
        }

    def _shown(self) -> list[dict[str, Any]]:
        """Ask DVC; it fails where it looks into an experiment's folder as that comes or goes."""
        attempts = 0
        while True:
            try:
                return list(dvc.api.exp_show(str(self.root)))
            except DvcException as error:
                attempts += 1
                if attempts == ATTEMPTS:
                    raise QueueError(
                        f"DVC must be able to show its experiments, it says {error!r}: "
                        "`dvc queue remove --all`, then the same command again"
                    ) from error
                time.sleep(1)

    def run(self, members: Sequence[Member], ended: Callable[[Member, Found], None]) -> list[str]:
        """Run what has not succeeded, and wait for it.

        Args:
            members: in the order in which they are to run.
            ended: called once for each that has succeeded, those of earlier runs included.

        Returns:
            The names of those that failed.

        Raises:
            QueueError: if the tree differs from its commit, or the workers end before the work.
        """
        self._check_clean()
        self._put(members, self._healed(members))
        told: set[str] = set()
        begun = time.monotonic()
        with progress_bar(None, "experiments", "run", total=len(members)) as bar:
            while True:
                # asked first: whoever ends between the two questions has left its result
                at_work = time.monotonic() - begun < STARTING_S or self._is_attended()
                states = self.found(members)
                for member in members:
                    if states[member.name].state == SUCCESS and member.name not in told:
                        ended(member, states[member.name])
                        told.add(member.name)
                        bar.update()
                open_ones = [n for n, one in states.items() if one.state in (RUNNING, QUEUED)]
                if not open_ones:
                    return [name for name, one in states.items() if one.state == FAILED]
                if not at_work:
                    raise QueueError(
                        f"the workers of the queue must run until it is empty, they ended with "
                        f"{len(open_ones)} experiments left ({open_ones[0]} first): run the same "
                        "command again, it goes on"
                    )
                time.sleep(self.look_s)

    def _check_clean(self) -> None:
        changed = self._git("status", "--porcelain", "--untracked-files=no").splitlines()
        if changed:
            raise QueueError(
                f"experiments are made of a commit, so no tracked file may differ from it, found "
                f"{len(changed)} ({changed[0].strip()}): commit, or `git stash`"
            )

    def _healed(self, members: Sequence[Member]) -> dict[str, Found]:
        """Take failed members, and those whose worker was killed, out of the queue."""
        states = self.found(members)
        broken = [name for name, one in states.items() if one.state == FAILED]
        if not self._is_attended():
            orphans = [name for name, one in states.items() if one.state == RUNNING]
            self._end(orphans)
            broken += orphans
        if broken:
            self._dvc("queue", "remove", *broken)
        return {**states, **{name: Found(MISSING) for name in broken}}

    def _end(self, names: Sequence[str]) -> None:
        """End experiments that nobody watches; DVC notices a dead one when it is killed again."""
        left, begun = list(names), time.monotonic()
        while left:
            self._dvc("queue", "kill", *left)
            states = self.found(Member(name, ()) for name in left)
            left = [name for name in left if states[name].state == RUNNING]
            if left and time.monotonic() - begun > ENDING_S:
                raise QueueError(
                    f"an experiment whose worker is gone must end within {ENDING_S} s, {left[0]} "
                    f"still runs: `dvc queue kill --force {left[0]}`"
                )

    def _put(self, members: Sequence[Member], states: Mapping[str, Found]) -> None:
        missing = [member for member in members if states[member.name].state == MISSING]
        if any(one.state in (QUEUED, RUNNING) for one in states.values()):
            self._dvc("queue", "start", "--jobs", str(self.jobs))
        for count, member in enumerate(progress_bar(missing, "queue", "run"), start=1):
            flags = [part for flag in member.flags for part in ("-S", flag)]
            self._dvc("exp", "run", "--queue", "--name", member.name, *flags, *member.targets)
            if count in (self.jobs, len(missing)):  # the first run while the others are put in
                self._dvc("queue", "start", "--jobs", str(self.jobs))

    def _is_attended(self) -> bool:
        """Tell whether a worker answers; on a busy machine it does not at the first question."""
        for _ in range(QUESTIONS):
            match = WORKERS.search(self._dvc("queue", "status"))
            if match and int(match[1]) + int(match[2]):
                return True
            time.sleep(1)
        return False

    def _dvc(self, *words: str) -> str:
        return self._call(sys.executable, "-m", "dvc", *words)

    def _git(self, *words: str) -> str:
        return self._call("git", *words)

    def _call(self, *command: str) -> str:
        # a file, not a pipe: workers that a command leaves behind would hold a pipe open
        with tempfile.TemporaryFile("w+") as said:
            done = subprocess.run(
                command, cwd=self.root, env=self.environment, stdout=said, stderr=subprocess.STDOUT
            )
            said.seek(0)
            output = said.read()
        if done.returncode:
            lines = output.strip().splitlines()
            raise QueueError(
                f"`{' '.join(command[-6:])}` must succeed, it ended with {done.returncode}: "
                f"{lines[-1] if lines else 'no message'}"
            )
        return output
