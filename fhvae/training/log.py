"""The log of a run: a line of JSON per epoch, for people who watch or compare trainings.

It may hold what metrics must not: speed. It lies beside the checkpoint and stays there:

    pandas.read_json("checkpoints/<fingerprint>/log.jsonl", lines=True)
"""

import json
import logging
from pathlib import Path
from typing import Any

from fhvae.artifacts import new_file
from fhvae.training.dev import LatentUsage
from fhvae.training.record import EpochRecord

log = logging.getLogger(__name__)
LOG = "log.jsonl"


class TrainingLog:
    """Appends epochs; a resumed run takes back what its checkpoint does not know of."""

    def __init__(self, folder: Path, epochs: int) -> None:
        """Keep the lines of the first `epochs` epochs of a log that is there."""
        self.path = folder / LOG
        if not self.path.exists():
            return
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if _epoch(line) <= epochs]
        if len(kept) < len(lines):
            with new_file(self.path) as partial:
                partial.write_text("".join(kept), encoding="utf-8")

    def add(self, record: EpochRecord, usage: LatentUsage, segments_per_second: float) -> None:
        """Append an epoch.

        Args:
            record: all terms.
            usage: of the dimensions.
            segments_per_second: trained on since the last look at dev; wall time.
        """
        line: dict[str, Any] = {
            **record.row(),
            **vars(usage),
            "segments_per_second": round(segments_per_second, 1),
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:  # no reason to end a training
            log.warning("%s cannot be written (%s)", self.path, error.strerror or error)


def _epoch(line: str) -> float:
    """Read the epoch of a line; infinite for one that a kill has cut off."""
    try:
        return int(json.loads(line)["epoch"])
    except (ValueError, KeyError):
        return float("inf")
