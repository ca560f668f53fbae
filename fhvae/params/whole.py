"""All of params.yaml: checked by every stage before it begins, read by none.

Every key must be there, none may be unknown, and each value must have the type and the
range written beside it. The message names file and key, what must hold and what was found.
"""

from dataclasses import dataclass
from pathlib import Path

from fhvae.errors import ParamsError
from fhvae.params.every import EveryParam
from fhvae.params.reading import from_mapping, read_yaml


@dataclass(frozen=True, kw_only=True)
class Params(EveryParam):
    """All of params.yaml, where no two sections contradict each other."""

    def check(self) -> None:
        """Raise ParamsError where two sections contradict each other."""
        noisy = [name for name in self.corpus.conditions if name.startswith("noise")]
        for key in ("train_noises", "test_noises"):
            if noisy and not getattr(self.domains, key):
                raise ParamsError(
                    f"domains.{key} must list a kind of noise where corpus.conditions names "
                    f"{noisy[0]}, got none"
                )
        least, limit = self.model.least_log_variance, self.training.collapse_log_variance_x
        if least is not None and limit <= least:
            raise ParamsError(
                "training.collapse_log_variance_x must be above "
                f"model.least_log_variance={least:g}, below which no variance is, got {limit:g}"
            )
        if self.training.mask_mels >= self.fbank.mels:
            raise ParamsError(
                f"training.mask_mels must leave one of fbank.mels={self.fbank.mels} to be seen, "
                f"got {self.training.mask_mels}"
            )


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml.

    Raises:
        ParamsError: the file is missing or is not YAML, a key is unknown or missing, or
            a value has the wrong type or range.
    """
    return from_mapping(Params, read_yaml(path), source=str(path))


def check_params(path: Path) -> None:
    """Raise ParamsError, as `load_params` does, where a key of any stage cannot be used."""
    load_params(path)
