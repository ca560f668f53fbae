"""Metrics of a stage, read by another: a name that is not there is an error in words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from fhvae.errors import ArtifactError
from fhvae.files.atomic import read_json

LARGEST = 1e18  # nothing that a stage counts is more; beyond 1e308 no float holds it


class Metrics(dict[str, Any]):
    """Nested metrics of the stage that their file is named after."""

    def __init__(self, values: Mapping[str, Any], path: Path, prefix: str = "") -> None:
        """Take plain values.

        Args:
            values: nested.
            path: of the file, for messages.
            prefix: of the keys there, with a dot at its end.

        Raises:
            ArtifactError: a value is null, or a whole number that nothing counts.
        """
        self._path, self._prefix = path, prefix
        super().__init__((name, self._taken(name, value)) for name, value in values.items())

    def _taken(self, name: str, value: Any) -> Any:
        if value is None:
            self._refuse(name, "have a value or be absent with a reason, it is null")
        if isinstance(value, int) and abs(value) > LARGEST:
            self._refuse(name, f"be a count of at most {LARGEST:g}, it is not")
        if isinstance(value, Mapping):
            return Metrics(value, self._path, f"{self._prefix}{name}.")
        return value

    def __missing__(self, name: str) -> NoReturn:
        """Raise ArtifactError: the stage did not write it."""
        self._refuse(name, "be there, it is not")

    def _refuse(self, name: str, what: str) -> NoReturn:
        raise ArtifactError(
            f"{self._path}: {self._prefix}{name} must {what}; rerun the stage {self._path.stem}"
        )


def read_metrics(path: Path) -> Metrics:
    """Read the metrics of the stage that the file is named after.

    Raises:
        ArtifactError: the file is missing or no JSON, or a value is null.
    """
    return Metrics(read_json(path, path.stem), path)
