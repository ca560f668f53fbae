"""All of params.yaml, as the page prints it, and the packages that the run was made with."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fhvae.params.corpus import CorpusParams
from fhvae.params.domains import DomainsParams
from fhvae.params.fbank import FbankParams
from fhvae.params.ivector import IvectorParams
from fhvae.params.latents import LatentsParams
from fhvae.params.listening import ListeningParams
from fhvae.params.model import ModelParams
from fhvae.params.probes import ProbesParams
from fhvae.params.recognition import RecognitionParams
from fhvae.params.run import Discriminative, Evaluated
from fhvae.params.segments import SegmentsParams
from fhvae.params.training import TrainingParams
from fhvae.params.verification import VerificationParams
from fhvae.report.run_page.cells import Table

# What a figure could depend on.
PACKAGES = (
    *("torch", "numpy", "scipy", "pandas", "scikit-learn", "librosa", "soundfile", "soxr"),
    *("jiwer", "matplotlib", "safetensors"),
)


@dataclass(frozen=True, kw_only=True)
class AllParams(Discriminative, Evaluated):
    """All of params.yaml: the page is about the whole run."""

    corpus: CorpusParams
    fbank: FbankParams
    domains: DomainsParams
    segments: SegmentsParams
    model: ModelParams
    training: TrainingParams
    latents: LatentsParams
    ivector: IvectorParams
    verification: VerificationParams
    probes: ProbesParams
    listening: ListeningParams
    recognition: RecognitionParams


def params_table(params: AllParams) -> Table:
    """Lay out every param by its dotted key; folders are nobody's business."""
    values = dataclasses.asdict(params)
    rows = [(key, shown) for key, shown in _flat(values) if not key.endswith(PATHS)]
    return Table("Every value of params.yaml but paths.", ("param", "value"), rows)


PATHS = ("path", "alignments", ".from")  # ends of keys: where a file lies differs between machines


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        key = f"{prefix}{name.rstrip('_')}"  # from_ stands for the word that Python keeps
        if isinstance(value, Mapping):
            yield from _flat(value, f"{key}.")
        else:
            yield key, _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value in (None, "") else str(value)


def versions_table() -> Table:
    """Name the packages behind the figures; builds of one version (+cpu) give one name."""
    rows = []
    for name in PACKAGES:
        try:
            rows.append((name, version(name).partition("+")[0]))
        except PackageNotFoundError:
            continue
    return Table("Packages that the page was made with.", ("package", "version"), rows)
