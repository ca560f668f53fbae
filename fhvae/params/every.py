"""Every section of params.yaml, in the order of the file."""

from dataclasses import dataclass

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


@dataclass(frozen=True, kw_only=True)
class EveryParam(Discriminative, Evaluated):
    """All of params.yaml: what is checked before a stage begins, and what the report prints."""

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
