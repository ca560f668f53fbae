"""params.yaml as frozen dataclasses, checked once.

Every key must be there, none may be unknown, and each value must have the type and the
range written here. The message names file and key, what must hold and what was found.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fhvae.errors import ParamsError
from fhvae.params.corpus import (
    CorpusParams,
    EspeakParams,
    LibriSpeechParams,
    LibriSpeechPart,
    Speechocean762Params,
    VctkParams,
)
from fhvae.params.domains import (
    AURORA_TEST,
    AURORA_TRAIN,
    Domain,
    DomainsParams,
    learned_domains,
    scored_domains,
)
from fhvae.params.evaluation import (
    AttackParams,
    IvectorParams,
    ProbesParams,
    RecognitionParams,
    RecognizerParams,
    VerificationParams,
)
from fhvae.params.model import (
    FbankParams,
    LatentsParams,
    ModelParams,
    SegmentsParams,
    TrainingParams,
)
from fhvae.params.reading import (
    from_mapping,
    number,
    read_yaml,
)

__all__ = [
    "AURORA_TEST",
    "AURORA_TRAIN",
    "AttackParams",
    "CorpusParams",
    "Domain",
    "DomainsParams",
    "EspeakParams",
    "FbankParams",
    "IvectorParams",
    "LatentsParams",
    "LibriSpeechParams",
    "LibriSpeechPart",
    "ModelParams",
    "Params",
    "ProbesParams",
    "RecognitionParams",
    "RecognizerParams",
    "SegmentsParams",
    "Speechocean762Params",
    "TrainingParams",
    "VctkParams",
    "VerificationParams",
    "from_mapping",
    "learned_domains",
    "load_params",
    "scored_domains",
]


@dataclass(frozen=True, kw_only=True)
class Params:
    """All of params.yaml."""

    alpha: float = number(least=0)
    seed: int = number(least=0)
    protocol: Literal["headline", "full"]
    corpus: CorpusParams
    fbank: FbankParams
    domains: DomainsParams
    segments: SegmentsParams
    model: ModelParams
    training: TrainingParams
    latents: LatentsParams
    ivector: IvectorParams
    verification: VerificationParams
    attack: AttackParams
    probes: ProbesParams
    recognition: RecognitionParams

    def check(self) -> None:
        """Raise ParamsError where two sections contradict each other."""
        noisy = [name for name in self.corpus.conditions if name.startswith("noise")]
        for key in ("train_noises", "test_noises"):
            if noisy and not getattr(self.domains, key):
                raise ParamsError(
                    f"domains.{key} must list a kind of noise where corpus.conditions names "
                    f"{noisy[0]}, got none"
                )


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check params.yaml.

    Raises:
        ParamsError: the file is missing or is not YAML, a key is unknown or missing, or
            a value has the wrong type or range.
    """
    return from_mapping(Params, read_yaml(path), source=str(path))
