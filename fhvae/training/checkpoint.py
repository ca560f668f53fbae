"""Checkpoints: everything needed to go on as if nothing had happened.

They live outside of DVC, in `checkpoints/<fingerprint>/` or below `FHVAE_CKPT_DIR`. The
fingerprint covers whatever decides the course of training, so a checkpoint of other
params or other frames is never taken up; how long to train is not part of it.
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from fhvae.artifacts import new_file, unfinished_work
from fhvae.errors import TrainingError
from fhvae.params import ModelParams, SegmentsParams, TrainingParams

CODE_VERSION = 2  # raise it when a change of the code changes the course of training
STOPPING_KEYS = ("max_epochs", "patience")


def labels_digest(labels: Sequence[str]) -> str:
    """Hash the speakers of utterances, in order."""
    return hashlib.sha256("\n".join(labels).encode()).hexdigest()


def fingerprint(
    alpha: float,
    seed: int,
    segments: SegmentsParams,
    model: ModelParams,
    training: TrainingParams,
    data_digests: list[str],
    device: torch.device,
) -> str:
    """Name the course of a training run, in 16 hexadecimal digits."""
    course = dataclasses.asdict(training)
    for key in STOPPING_KEYS:
        del course[key]
    facts = {
        "code": CODE_VERSION,
        "torch": str(torch.__version__),
        "device": device.type,
        "alpha": float(alpha),
        "seed": seed,
        "segments": dataclasses.asdict(segments),
        "model": dataclasses.asdict(model),
        "training": course,
        "data": data_digests,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


class Checkpoint:
    """The one checkpoint of a run, replaced as a whole."""

    def __init__(self, name: str, root: Path | None = None) -> None:
        self.path = (root or unfinished_work()) / name / "last.pt"

    def save(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint; a kill at any moment leaves the old or the new one."""
        with new_file(self.path) as partial:
            torch.save(state, partial)

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Read the checkpoint, or None if there is none.

        Raises:
            TrainingError: the file is broken.
        """
        if not self.path.exists():
            return None
        try:
            state = torch.load(self.path, map_location=device, weights_only=True)
        except Exception as error:  # torch raises pickle, zip and runtime errors of all kinds
            raise TrainingError(
                f"checkpoint {self.path} must be readable, it is broken "
                f"({' '.join(str(error).split())[:120]}); delete it to train from the start"
            ) from error
        return dict(state)

    def clear(self) -> None:
        """Delete the checkpoint of a run that has ended well."""
        shutil.rmtree(self.path.parent, ignore_errors=True)
