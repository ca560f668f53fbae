"""What `fhvae train` trains with: quick.yaml, or the frames and networks of another model."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from fhvae.model.weights import read_model
from fhvae.params.corpus import SplitParams
from fhvae.params.fbank import FbankParams
from fhvae.params.model import ModelParams
from fhvae.params.reading import MOST_RATE, from_mapping, number, read_yaml
from fhvae.params.run import Discriminative
from fhvae.params.segments import SegmentsParams
from fhvae.params.training import TrainingParams

QUICK = Path(__file__).with_name("quick.yaml")


@dataclass(frozen=True, kw_only=True)
class Settings(Discriminative):
    """All of quick.yaml."""

    splits: SplitParams
    piece_s: float = number(above=1)
    fine_tuning_rate: float = number(above=0, most=MOST_RATE)
    fbank: FbankParams
    segments: SegmentsParams
    model: ModelParams
    training: TrainingParams


def quick(
    epochs: int | None = None, seed: int | None = None, start: Path | None = None
) -> Settings:
    """Read quick.yaml and change what was asked for.

    Args:
        epochs: of `training.epoch_steps` steps, at most; None: those of quick.yaml.
        seed: of weights and batches.
        start: a model folder whose weights, frames and networks are taken.

    Raises:
        ArtifactError: the model is not there or broken.
    """
    found = from_mapping(Settings, read_yaml(QUICK), source=str(QUICK))
    training = found.training
    if epochs is not None:
        training = replace(training, max_epochs=epochs)
    if seed is not None:
        found = replace(found, seed=seed)
    if start is not None:
        rate = found.fine_tuning_rate
        training = replace(training, from_=str(start), learning_rate=rate)
        model = read_model(start, torch.device("cpu"))
        own = {"model": model.network.params, "segments": model.segments, "fbank": model.fbank}
        found = replace(found, **own)  # type: ignore[arg-type]
    return replace(found, training=training)
