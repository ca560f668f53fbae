"""Checkpoints: everything needed to resume with the same result.

They live outside of DVC, in `checkpoints/<fingerprint>/` or below `FHVAE_CKPT_DIR`. The
fingerprint covers all that decides the course of training, so a checkpoint of other
params or other frames is never taken up; how long to train is not part of it.

last.pt     the one checkpoint, replaced as a whole, gone when the run has ended well: the
            sha256 of what follows, then what torch writes, which has no digest of its own
longer.pt   what was last.pt when the same run was asked to train for less
run.json    what the fingerprint covers, so that a run can say what has changed since
log.jsonl   a line per epoch (record.py); it stays until the same run is trained again
"""

import dataclasses
import hashlib
import io
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fhvae.errors import ArtifactError, TrainingError
from fhvae.files.atomic import (
    file_digest,
    new_file,
    read_json,
    remove_leftovers,
    unfinished_work,
    write_json,
)
from fhvae.files.locks import held
from fhvae.params.model import ModelParams
from fhvae.params.segments import SegmentsParams
from fhvae.params.training import TrainingParams
from fhvae.portable import arithmetic

log = logging.getLogger(__name__)
PACKAGE = Path(__file__).parents[1]  # the folder fhvae
CODE = ("model/*.py", "training/*.py", "segments.py", "seeds.py")  # that decides the course
OF_DIGESTS = {"code": "other code", "data": "other frames"}  # in words
STOPPING_KEYS = ("max_epochs", "patience")
LAST, LONGER, RUN, LOCK = "last.pt", "longer.pt", "run.json", "lock"
DIGEST_BYTES = 32  # of sha256


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state behind its digest."""
    content = io.BytesIO()
    torch.save(dict(state), content)
    with path.open("wb") as file:
        file.write(hashlib.sha256(content.getbuffer()).digest())
        file.write(content.getbuffer())


def read_state(path: Path, device: torch.device) -> dict[str, Any]:
    """Read what `write_state` wrote.

    Raises:
        OSError: the file cannot be read.
        TrainingError: it is not as it was written.
    """
    content = memoryview(path.read_bytes())
    if hashlib.sha256(content[DIGEST_BYTES:]).digest() != content[:DIGEST_BYTES]:
        raise TrainingError(
            f"checkpoint {path} must be as it was written, its digest says that it is not; see to "
            "the disk, and delete the file to train from the start"
        )
    whole = io.BytesIO(content[DIGEST_BYTES:])
    try:
        return dict(torch.load(whole, map_location=device, weights_only=True))
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # somebody made it by hand: no digest would be right by chance
        raise TrainingError(
            f"checkpoint {path} must be readable, it is broken "
            f"({' '.join(str(error).split())[:120]}); delete it to train from the start"
        ) from error


def labels_digest(labels: Sequence[str]) -> str:
    """Hash the speakers of utterances, in order."""
    return hashlib.sha256("\n".join(labels).encode()).hexdigest()


def course_of_run(
    alpha: float,
    seed: int,
    segments: SegmentsParams,
    model: ModelParams,
    training: TrainingParams,
    data_digests: list[str],
    device: torch.device,
    start: str | None = None,
) -> dict[str, Any]:
    """Gather all that decides the course of a training run, by dotted name.

    What `training.from` names is told by `start`, a hash of the weights, and not by its path.
    """
    course = dataclasses.asdict(training)
    for key in (*STOPPING_KEYS, "from_"):
        del course[key]
    sections = {"segments": dataclasses.asdict(segments), "model": dataclasses.asdict(model)}
    sections["training"] = course
    return {
        "code": [file_digest(path) for name in CODE for path in sorted(PACKAGE.glob(name))],
        "torch": str(torch.__version__),
        "numpy": np.__version__,  # may change what a generator draws
        "device": device.type,
        **({"arithmetic": kind} if (kind := arithmetic()) else {}),
        **({"start": start} if start else {}),
        "alpha": float(alpha),
        "seed": seed,
        **{
            f"{section}.{key}": list(value) if isinstance(value, tuple) else value  # as JSON has it
            for section, values in sections.items()
            for key, value in values.items()
        },
        "data": data_digests,
    }


def fingerprint(course: Mapping[str, Any]) -> str:
    """Name a course of training, in 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(course, sort_keys=True).encode()).hexdigest()[:16]


class Checkpoint:
    """The one checkpoint of a run, replaced as a whole."""

    def __init__(self, course: Mapping[str, Any], root: Path | None = None) -> None:
        """Name the run after its course; nothing is written yet."""
        self.course = dict(course)
        self.name = fingerprint(self.course)
        self.folder = (root or unfinished_work()) / self.name
        self.path = self.folder / LAST

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have the run for this process alone; wait first until another that trains it is over.

        To be held until the checkpoint is cleared. What the other one left is gone on from.

        Raises:
            TrainingError: the folder cannot be written to.
        """
        with ExitStack() as lock:
            with self._told_of_disk(self.folder):
                waiting_for = f"another process that trains the run in {self.folder}"
                lock.enter_context(held(self.folder / LOCK, waiting_for))
            remove_leftovers(self.folder)
            with self._told_of_disk(self.folder / RUN):
                write_json(self.folder / RUN, self.course)
            yield

    @contextmanager
    def _told_of_disk(self, path: Path) -> Iterator[None]:
        """Turn what a disk refuses into a sentence."""
        try:
            yield
        except (OSError, RuntimeError) as error:  # torch's writer says RuntimeError for a full disk
            last = "the last checkpoint is whole" if self.path.exists() else "there is none yet"
            raise TrainingError(
                f"checkpoint {path} must be written, it cannot "
                f"({' '.join(str(error).split())[:120]}), {last}; make room and give access "
                "there, or set FHVAE_CKPT_DIR to another folder, and run the same command again"
            ) from error

    def save(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint; a kill or a power cut leaves the old one or the new one.

        Raises:
            TrainingError: it cannot be written; the old one is whole.
        """
        with self._told_of_disk(self.path), new_file(self.path) as partial:
            write_state(partial, {**state, "run": self.name})

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Read the checkpoint, or None if there is none.

        Raises:
            TrainingError: the file is broken or is another run's.
        """
        if not self.path.exists():
            self._tell_what_changed()
            return None
        try:
            state = read_state(self.path, device)
        except OSError as error:
            raise TrainingError(
                f"checkpoint {self.path} must be readable, it is not ({error.strerror or error}); "
                "see to the disk and to the permissions"
            ) from error
        if state.get("run") != self.name:
            raise TrainingError(
                f"checkpoint {self.path} must be of the run {self.name}, it is of "
                f"{state.get('run', 'none')}; delete it to train from the start"
            )
        return state

    def _tell_what_changed(self) -> None:
        """Log how the latest unfinished run nearby differs: a param was changed, or data."""
        others = [path for path in self.folder.parent.glob(f"*/{LAST}") if path != self.path]
        if not others:
            return
        try:  # others train there, and clear theirs when they have ended
            other = max(others, key=lambda path: path.stat().st_mtime).parent
            course = read_json(other / RUN)
        except (ArtifactError, OSError):
            return
        changed = [
            OF_DIGESTS.get(key, f"{key}={value} (now {self.course.get(key)})")
            for key, value in course.items()
            if value != self.course.get(key)
        ]
        log.info("training from the start; %s is of a run with %s", other, ", ".join(changed))

    def put_aside(self) -> None:
        """Keep the checkpoint of a longer run under another name, and train from the start."""
        kept = self.path.with_name(LONGER)
        os.replace(self.path, kept)
        log.info(
            "%s has trained longer than asked for now: not used, kept as %s", self.path, kept.name
        )

    def clear(self) -> None:
        """Delete the checkpoint of a run that has ended well."""
        for name in (LAST, RUN):
            (self.folder / name).unlink(missing_ok=True)
