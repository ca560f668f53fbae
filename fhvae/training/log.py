"""The log of a run: a line of JSON per epoch, for people who watch or compare trainings.

It may hold what metrics must not: speed. It lies beside the checkpoint and stays there:

    pandas.read_json("checkpoints/<fingerprint>/log.jsonl", lines=True)
"""

import json
from pathlib import Path
from typing import Any

from fhvae.artifacts import new_file
from fhvae.training.dev import LatentUsage
from fhvae.training.record import EpochRecord

LOG = "log.jsonl"


class TrainingLog:
    """Appends epochs; a resumed run takes back what its checkpoint does not know of."""

    def __init__(self, folder: Path, epochs: int) -> None:
        """Keep the first `epochs` lines of a log that is there."""
        self.path = folder / LOG
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        if len(lines) > epochs:
            with new_file(self.path) as partial:
                partial.write_text("".join(f"{line}\n" for line in lines[:epochs]), "utf-8")

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
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
